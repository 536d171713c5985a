package chart

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"gestor.local/contract"
)

// maxName is how many characters of a name a chart shows: container names have at most 64 useful ones.
const maxName = 64

// Plain makes hostile text fit to be drawn: no control or bidirectional characters (they reorder what a reader sees),
// valid UTF-8, bounded. Markup stays as it is; the renderers treat it as text.
func Plain(s string) string { return clean(s, maxName) }

// Prose is Plain for sentences of at most n characters: a line's end between them is a blank.
func Prose(s string, n int) string { return clean(strings.Join(strings.Fields(s), " "), n) }

func clean(s string, n int) string {
	if isPlain(s, n) {
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

func isPlain(s string, n int) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return len(s) <= n
}

// plainBody cleans the names of the container that a body is about.
func plainBody(b contract.Body) contract.Body {
	switch b := b.(type) {
	case contract.ContainerBody:
		b.Subject = plainSubject(b.Subject)
		return b
	case contract.DecisionBody:
		b.Subject = plainSubject(b.Subject)
		return b
	case contract.ActionBody:
		b.Subject = plainSubject(b.Subject)
		return b
	case contract.LaunchBody:
		b.Subject = plainSubject(b.Subject)
		return b
	default:
		return b
	}
}

func plainSubject(s contract.Subject) contract.Subject {
	s.Name, s.Image = Plain(s.Name), ShortImage(s.Image)
	return s
}

// ShortImage is contract.ShortImage, fit to be drawn. The engine's gestor/high-cpu:latest and the generator's high-cpu are
// one.
func ShortImage(image string) string { return Plain(contract.ShortImage(image)) }
