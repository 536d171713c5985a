package line

import (
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
