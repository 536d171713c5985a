// Package line is one record as bytes: it checks what a producer sends, brings it into the form in which it is stored,
// and reads stored lines back.
//
// A stored line is the producer's JSON object without insignificant whitespace, the envelope first and in a fixed order
// so that a reader needs only its beginning, and a checksum last:
//
//	{"v":1,"seq":4711,"ts":"…Z","received":"…Z","kind":"host","host":…,"boot":…,"producer":…,"pseq":991, …,"crc":"1b2c3d4e"}
//
// crc is CRC-32C in hex of every byte before `,"crc"`. It belongs to the active file only: readers of this package
// strip it, and sealed files do not carry it (each of their gzip members has its own).
package line

import (
	"hash/crc32"
	"slices"
	"strconv"
	"time"

	"gestor.local/contract"
)

// Figure numbers one of the measurements of a container record that roll-ups keep, from 1.
type Figure uint8

// Figures is their number.
const Figures = 7

var figureNames = [Figures]string{
	"cpu_millicores", "ram_kb", "vsz_kb", "rss_kb", "memory_permille", "processes", "threads",
}

// FigureName returns the JSON name of figure number i, counted from 0.
func FigureName(i int) string { return figureNames[i] }

// FigureNumber returns the number, from 0, of the figure with a name, -1 when there is none.
func FigureNumber(name string) int { return slices.Index(figureNames[:], name) }

// Record is one parsed record. Its strings are unescaped; Body is what AppendTo stores.
type Record struct {
	// Seq and ReceivedUS (Unix microseconds) are of a stored line; what a producer sends is ignored.
	Seq        uint64
	ReceivedUS int64
	Time       time.Time
	Kind       contract.Kind
	Identity   Identity
	PSeq       uint64
	Tick       uint64
	// Of the body, "" where the kind has none.
	Container, Name, Image, Class, Action, Phase, Outcome, Event string
	// Measured, Owned and Figures are of container records.
	Measured, Owned bool
	Figures         [Figures]uint64
	// Body is the canonical JSON from "kind" on, without the closing brace.
	Body []byte
}

// Identity names a producer on one boot of one host. With PSeq it names a record for ever.
type Identity struct {
	Host     string `json:"host"`
	Boot     string `json:"boot"`
	Producer string `json:"producer"`
}

const (
	crcKey  = `,"crc":"`
	crcTail = len(crcKey) + 8 + len(`"}`)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// AppendTo appends the stored line of r, newline included.
func (r *Record) AppendTo(dst []byte, seq uint64, received string) []byte {
	start := len(dst)
	dst = append(dst, `{"v":1,"seq":`...)
	dst = strconv.AppendUint(dst, seq, 10)
	dst = append(dst, `,"ts":"`...)
	dst = r.Time.UTC().AppendFormat(dst, time.RFC3339Nano)

	dst = append(dst, `","received":"`...)
	dst = append(dst, received...)
	dst = append(dst, `",`...)
	dst = append(dst, r.Body...)

	return appendCRC(dst, crc32.Checksum(dst[start:], castagnoli))
}

func appendCRC(dst []byte, sum uint32) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, crcKey...)
	for shift := 28; shift >= 0; shift -= 4 {
		dst = append(dst, digits[sum>>shift&0xf])
	}
	return append(dst, "\"}\n"...)
}

// AppendChecksum appends a JSON object with a checksum as its last field and a newline.
func AppendChecksum(dst, object []byte) []byte {
	start := len(dst)
	dst = append(dst, object[:len(object)-1]...)
	return appendCRC(dst, crc32.Checksum(dst[start:], castagnoli))
}

// Check says whether a line of an active file (without its newline) is whole.
func Check(b []byte) bool {
	n := len(b) - crcTail
	if n < 0 {
		return false
	}
	var want [crcTail + 1]byte
	tail := appendCRC(want[:0], crc32.Checksum(b[:n], castagnoli))
	return string(b[n:]) == string(tail[:crcTail])
}

// Strip removes the checksum from a line that Check accepted. It overwrites the line in place.
func Strip(b []byte) []byte {
	n := len(b) - crcTail
	b[n] = '}'
	return b[:n+1]
}
