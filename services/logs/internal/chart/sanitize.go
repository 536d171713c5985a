package chart

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"gestor.local/contract"
)

// maxName is how many characters of a name a chart shows: container names have at most 64 useful ones.
const maxName = 64

// Sanitize makes hostile text fit to be drawn: no control or bidirectional characters (they reorder what a reader sees),
// valid UTF-8, bounded. Markup stays as it is; the renderers treat it as text.
func Sanitize(s string) string { return sanitize(s, maxName) }

// SanitizeText is Sanitize for sentences of at most n characters: a line's end between them is a blank.
func SanitizeText(s string, n int) string { return sanitize(strings.Join(strings.Fields(s), " "), n) }

// sanitize keeps more than contract.Printable: a character that this Go does not know yet, such as a new emoji, since the
// reader's browser may, and other spaces than the blank. Nor is it contract.Shorten: here the ellipsis counts too.
func sanitize(s string, n int) string {
	if isSafe(s, n) {
		return s
	}

	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || unicode.Is(unicode.Cf, r) {
			return '\ufffd'
		}
		return r
	}, s)
	if utf8.RuneCountInString(s) > n {
		s = string([]rune(s)[:n-1]) + "…"
	}
	return s
}

func isSafe(s string, n int) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return len(s) <= n
}

// sanitizeBody cleans the names of the container that a body is about.
func sanitizeBody(b contract.Body) contract.Body {
	switch b := b.(type) {
	case contract.ContainerBody:
		b.Subject = sanitizeSubject(b.Subject)
		return b
	case contract.DecisionBody:
		b.Subject = sanitizeSubject(b.Subject)
		return b
	case contract.ActionBody:
		b.Subject = sanitizeSubject(b.Subject)
		return b
	case contract.LaunchBody:
		b.Subject = sanitizeSubject(b.Subject)
		return b
	default:
		return b
	}
}

func sanitizeSubject(s contract.Subject) contract.Subject {
	s.Name, s.Image = Sanitize(s.Name), ShortImage(s.Image)
	return s
}

// ShortImage is contract.ShortImage, fit to be drawn. The engine's gestor/high-cpu:latest and the generator's high-cpu are
// one.
func ShortImage(image string) string { return Sanitize(contract.ShortImage(image)) }
