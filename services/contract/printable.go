package contract

import (
	"strings"
	"unicode"
)

// Printable is a text that somebody else chose, such as a name or an engine's message, as a terminal and a sentence can show it: what
// does not print (control characters, and those that change the direction of writing) is U+FFFD.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// Shorten is the first characters of s, at most so many, and "…" where there are more.
func Shorten(s string, most int) string {
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}
