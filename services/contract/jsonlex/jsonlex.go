// Package jsonlex reads the words of JSON: strings, numbers and literals, by the grammar of RFC 8259 and no wider. What
// encoding/json repairs without a word (invalid UTF-8, half a surrogate pair) is a [Fault] here.
//
// Its functions look at the beginning of a text and say how many bytes the word takes. They keep no state and allocate
// nothing: how values nest, what a document may hold and how an error is worded is the caller's.
package jsonlex

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// Fault says what is wrong with a string.
type Fault uint8

// Faults of a string.
const (
	None          Fault = iota
	Unterminated        // the text ends before the string
	ControlByte         // a byte below 0x20 that is not escaped
	UnknownEscape       // a backslash before what it does not escape
	MissingDigits       // \u without four hexadecimal digits
	LoneSurrogate       // half a surrogate pair, which is no character
)

// String reads the string at the beginning of src, whose first byte is its quote. It takes n bytes, both quotes included;
// with a fault n is where the fault stands, for one of an escape its backslash.
//
// escaped says that the string holds an escape, wide that it holds bytes beyond ASCII. Whether those are UTF-8 is not looked
// at here: a caller may have checked the whole text at once.
func String(src []byte) (n int, escaped, wide bool, fault Fault) {
	n = 1
	for {
		n += plainRun(src[n:])
		if n == len(src) {
			return n, escaped, wide, Unterminated
		}

		switch c := src[n]; {
		case c == '"':
			return n + 1, escaped, wide, None

		case c == '\\':
			length, fault := escape(src[n:])
			if fault != None {
				return n, true, wide, fault
			}
			escaped = true
			n += length

		case c < ' ':
			return n, escaped, wide, ControlByte

		default:
			wide = true
			n++
		}
	}
}

// plain says that a byte stands for itself in a string and needs no second look.
func plain(c byte) bool { return c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' }

// plainRun returns how many plain bytes src begins with, looking at eight at once: documents are mostly strings.
//
// w - x*ones has the high bit set in each byte of w that is below x, as far as it is no borrow from the byte beneath; and
// w^x is zero in the bytes that are x, so that minus one sets their high bit. &^ w takes out the bytes that had the bit
// before. A borrow starts at a true find and goes upwards only, so that the lowest find is always a true one, and only the
// lowest is used.
func plainRun(src []byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	n := 0
	for ; n+8 <= len(src); n += 8 {
		w := binary.LittleEndian.Uint64(src[n:])
		low := ((w - ' '*ones) | ((w ^ '"'*ones) - ones) | ((w ^ '\\'*ones) - ones)) &^ w
		if found := (low | w) & highs; found != 0 {
			return n + bits.TrailingZeros64(found)/8
		}
	}

	for n < len(src) && plain(src[n]) {
		n++
	}
	return n
}

// escape returns the length of the escape at the beginning of src, a surrogate pair being one.
func escape(src []byte) (n int, fault Fault) {
	if len(src) < 2 {
		return 0, Unterminated
	}

	switch src[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, None

	case 'u':
		r := hex4(src[2:])
		if r < 0 {
			return 0, MissingDigits
		}
		if !utf16.IsSurrogate(r) {
			return 6, None
		}
		if secondHalf(r, src[6:]) == utf8.RuneError {
			return 0, LoneSurrogate
		}
		return 12, None

	default:
		return 0, UnknownEscape
	}
}

// secondHalf completes a surrogate pair by the escape at the beginning of src, RuneError where there is none that does.
func secondHalf(first rune, src []byte) rune {
	if len(src) < 2 || src[0] != '\\' || src[1] != 'u' {
		return utf8.RuneError
	}
	return utf16.DecodeRune(first, hex4(src[2:]))
}

// hex4 reads four hexadecimal digits, -1 when they are not there.
func hex4(b []byte) rune {
	if len(b) < 4 {
		return -1
	}

	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// AppendUnquoted appends the characters of a string that [String] found no fault with; raw is the whole of it, with its
// quotes. Of another text that is as long as two quotes it appends some bytes.
func AppendUnquoted(dst, raw []byte) []byte {
	for b := raw[1 : len(raw)-1]; len(b) > 0; {
		if b[0] != '\\' || len(b) == 1 {
			dst, b = append(dst, b[0]), b[1:]
			continue
		}

		length := 2 // of the escape
		switch c := b[1]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')

		case 'u':
			length = 6
			r := hex4(b[2:])
			if utf16.IsSurrogate(r) {
				r, length = secondHalf(r, b[6:]), 12
			}
			dst = utf8.AppendRune(dst, r)

		default: // a quote, a backslash or a slash, which stand for themselves
			dst = append(dst, c)
		}

		b = b[min(length, len(b)):]
	}
	return dst
}

// Number returns how many bytes the number at the beginning of src takes, 0 when there is none: a leading zero, plus or point
// is not JSON. exponent says that it has one.
func Number(src []byte) (n int, exponent bool) {
	if n < len(src) && src[n] == '-' {
		n++
	}
	whole := digits(src[n:])
	if whole == 0 || whole > 1 && src[n] == '0' {
		return 0, false
	}
	n += whole

	// A point or an exponent without digits behind it is no part of a shorter number: such text is no JSON at all.
	if n < len(src) && src[n] == '.' {
		fraction := digits(src[n+1:])
		if fraction == 0 {
			return 0, false
		}
		n += 1 + fraction
	}

	if n == len(src) || src[n]|0x20 != 'e' {
		return n, false
	}

	n++
	if n < len(src) && (src[n] == '+' || src[n] == '-') {
		n++
	}
	power := digits(src[n:])
	if power == 0 {
		return 0, true
	}
	return n + power, true
}

// digits returns how many decimal digits src begins with.
func digits(src []byte) int {
	n := 0
	for n < len(src) && src[n]-'0' <= 9 {
		n++
	}
	return n
}

// Literal returns how many bytes true, false or null take at the beginning of src, 0 when none of them stands there.
func Literal(src []byte) int {
	for _, word := range [...]string{"true", "false", "null"} {
		if len(src) >= len(word) && string(src[:len(word)]) == word {
			return len(word)
		}
	}
	return 0
}
