package line

import (
	"bytes"
	"hash/crc32"
)

// Version is the version of the lines.
const Version = 2

// The end of a line: its checksum in eight hexadecimal digits.
const (
	crcKey    = `,"crc":"`
	crcDigits = 8
	crcEnd    = `"}`
	crcLength = len(crcKey) + crcDigits + len(crcEnd)
)

// Seal ends the object that begins at a position of text and is open still, as in {"v":2,"seq":1,"facts":310: with its checksum, its
// brace and a newline.
func Seal(text []byte, from int) []byte {
	sum := crc32.Checksum(text[from:], castagnoli())
	text = append(text, crcKey...)
	text = appendHex(text, sum)
	return append(text, crcEnd+"\n"...)
}

// Sealed says whether a line, without its newline, ends with the checksum of what it holds.
func Sealed(text []byte) bool {
	at := len(text) - crcLength
	if at < 0 || string(text[at:at+len(crcKey)]) != crcKey || string(text[len(text)-len(crcEnd):]) != crcEnd {
		return false
	}
	var digits [crcDigits]byte
	written := text[at+len(crcKey) : len(text)-len(crcEnd)]
	return string(appendHex(digits[:0], crc32.Checksum(text[:at], castagnoli()))) == string(written)
}

// castagnoli is the polynomial of CRC-32C, for which processors have an instruction.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) } // made once by the library

func appendHex(to []byte, sum uint32) []byte {
	const digits = "0123456789abcdef"
	for shift := 28; shift >= 0; shift -= 4 {
		to = append(to, digits[sum>>shift&0xf])
	}
	return to
}

// Start is what a line of a tick begins with: that of its facts, or that of its verdicts.
type Start struct {
	Seq, Since uint64
	// Facts or Verdict is the tick, the other one nil; Look is 2 on a second look at it, else 0.
	Facts, Verdict *uint64
	Look           int
}

// StartOf reads the start of a sealed line, and nothing behind it. It is not ok for lines of other kinds, and for facts that come with
// a memory.
func StartOf(text []byte) (s Start, ok bool) {
	rest, ok := bytes.CutPrefix(text, []byte(`{"v":2,"seq":`))
	if !ok {
		return s, false
	}
	if s.Seq, rest, ok = cutNumber(rest); !ok || s.Seq == 0 {
		return s, false
	}
	if since, has := bytes.CutPrefix(rest, []byte(`"since":`)); has {
		if s.Since, rest, ok = cutNumber(since); !ok {
			return s, false
		}
	}

	tick := uint64(0)
	if facts, is := bytes.CutPrefix(rest, []byte(`"facts":`)); is {
		rest, s.Facts = facts, &tick
	} else if verdict, is := bytes.CutPrefix(rest, []byte(`"verdict":`)); is {
		rest, s.Verdict = verdict, &tick
	} else {
		return s, false
	}
	if tick, rest, ok = cutNumber(rest); !ok {
		return s, false
	}

	if look, has := bytes.CutPrefix(rest, []byte(`"look":`)); has {
		n, _, ok := cutNumber(look)
		s.Look = int(min(n, 2)) //nolint:gosec // bounded
		return s, ok && n <= 2
	}
	return s, true
}

// cutNumber cuts off a number and the comma behind it.
func cutNumber(text []byte) (n uint64, rest []byte, ok bool) {
	digits, rest, ok := bytes.Cut(text, []byte(","))
	if ok {
		n, ok = decimal(digits)
	}
	return n, rest, ok
}

// decimal reads a whole number of at most 18 digits as lines have it; not ok for anything else.
func decimal(text []byte) (n uint64, ok bool) {
	const most = 18 // which fit
	if len(text) == 0 || len(text) > most || len(text) > 1 && text[0] == '0' {
		return 0, false
	}
	for _, digit := range text {
		if digit < '0' || digit > '9' {
			return 0, false
		}
		n = n*10 + uint64(digit-'0')
	}
	return n, true
}
