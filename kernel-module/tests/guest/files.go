package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// numbers reads a file of lines "key value" or "key: value unit".
func numbers(path string) (map[string]uint64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	values := map[string]uint64{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		if n, err := strconv.ParseUint(fields[1], 10, 64); err == nil {
			values[strings.TrimSuffix(fields[0], ":")] = n
		}
	}
	return values, nil
}

// number reads a file of one number; "max" is 0, false.
func number(path string) (uint64, bool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false, err
	}
	word := strings.TrimSpace(string(text))
	if word == "max" {
		return 0, false, nil
	}
	n, err := strconv.ParseUint(word, 10, 64)
	return n, true, err
}

// within complains when two figures are further apart than slack.
func within(name string, got, want, slack uint64) error {
	if max(got, want)-min(got, want) > slack {
		return fmt.Errorf("%s is %d, want %d (within %d)", name, got, want, slack)
	}
	return nil
}

// between complains when a figure is not in low…high.
func between(name string, low, got, high uint64) error {
	if got < low || got > high {
		return fmt.Errorf("%s is %d, want %d to %d", name, got, low, high)
	}
	return nil
}

// required complains when an optional figure is absent.
func required(name string, v *uint64) (uint64, error) {
	if v == nil {
		return 0, fmt.Errorf("%s is absent", name)
	}
	return *v, nil
}

// stat is what /proc/PID/stat says, by the numbers of proc_pid_stat(5).
type stat struct {
	state            string
	ppid, threads    uint64
	utime, stime     uint64 // 1/100 s
	start            uint64 // 1/100 s since boot
	vsize            uint64 // bytes
	startUS, cpuUSec uint64
}

func readStat(pid int) (stat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	_, rest, ok := strings.Cut(string(text), ") ")
	if end := strings.LastIndex(string(text), ") "); ok && end >= 0 {
		rest = string(text)[end+2:]
	}

	f := strings.Fields(rest)
	if len(f) < 21 {
		return stat{}, fmt.Errorf("stat of %d has %d fields", pid, len(f))
	}
	n := func(field int) uint64 { // counted as in the manual page
		v, _ := strconv.ParseUint(f[field-3], 10, 64)
		return v
	}

	s := stat{state: f[0], ppid: n(4), threads: n(20), utime: n(14), stime: n(15), start: n(22), vsize: n(23)}
	s.startUS, s.cpuUSec = s.start*10_000, (s.utime+s.stime)*10_000
	return s, nil
}
