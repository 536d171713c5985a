package netdev

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
)

// Columns of a line of net/dev behind the interface's name: bytes in and bytes out.
const (
	receivedColumn    = 0
	transmittedColumn = 8
	columns           = 16
)

// errSum says that the bytes of all interfaces do not fit a counter.
var errSum = errors.New("the sum of bytes is too large")

// parse returns the sum of bytes in and out over all interfaces but lo. Two lines of headings stand first
// (dev_seq_show in net/core/net-procfs.c).
func parse(file []byte) (sum uint64, err error) {
	n := 0
	for line := range bytes.Lines(file) {
		if n++; n <= 2 {
			continue
		}

		name, in, out, err := parseLine(line)
		if err != nil {
			return 0, fmt.Errorf("line %d: %w", n, err)
		}
		if name == "lo" {
			continue
		}

		for _, count := range []uint64{in, out} {
			var carry uint64
			if sum, carry = bits.Add64(sum, count, 0); carry > 0 {
				return 0, errSum
			}
		}
	}

	if n < 2 {
		return 0, errors.New("no headings")
	}
	return sum, nil
}

// parseLine reads one interface. Old kernels write no space behind the colon, and no name has one in it.
func parseLine(line []byte) (name string, in, out uint64, err error) {
	colon := bytes.LastIndexByte(line, ':')
	if colon < 0 {
		return "", 0, 0, errors.New("no name of an interface")
	}

	fields := bytes.Fields(line[colon+1:])
	if len(fields) < columns {
		return "", 0, 0, fmt.Errorf("%d columns, want %d", len(fields), columns)
	}

	if in, err = strconv.ParseUint(string(fields[receivedColumn]), 10, 64); err != nil {
		return "", 0, 0, err
	}
	out, err = strconv.ParseUint(string(fields[transmittedColumn]), 10, 64)
	return string(bytes.TrimSpace(line[:colon])), in, out, err
}

// startField is the place of a process's start in stat, in ticks since boot: field 22 of proc_pid_stat(5), counted behind the
// program's name, which may hold anything.
const startField = 22 - 3

// parseStart returns when the process of a file stat was started, in microseconds since boot.
func parseStart(stat []byte) (startUS uint64, err error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= startField {
		return 0, fmt.Errorf("stat has %d fields behind the name", len(fields))
	}

	ticks, err := strconv.ParseUint(string(fields[startField]), 10, 64)
	if high, low := bits.Mul64(ticks, tickUS); err == nil && high == 0 {
		return low, nil
	}
	return 0, fmt.Errorf("start %q is no time", fields[startField])
}

// tickUS is one tick of the clock in which /proc gives start times: USER_HZ is 100 on every Linux that Go supports.
const tickUS = 10_000
