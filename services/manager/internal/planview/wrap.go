package planview

import (
	"strings"
	"unicode/utf8"
)

// lineWidth is where a text is wrapped: what most terminals show, and people can read.
const lineWidth = 100

// Wrap is a text behind its mark, wrapped between words, with a newline at its end. Further lines begin with begin and stand under the
// text.
func Wrap(begin, mark, text string) string {
	var b strings.Builder
	b.WriteString(begin + mark)
	start := utf8.RuneCountInString(begin + mark)
	at := start

	for word := range strings.FieldsSeq(text) {
		length := utf8.RuneCountInString(word)
		switch {
		case at == start: // the first of its line

		case at+1+length > lineWidth:
			b.WriteString("\n" + begin + strings.Repeat(" ", utf8.RuneCountInString(mark)))
			at = start

		default:
			b.WriteByte(' ')
			at++
		}

		b.WriteString(word)
		at += length
	}
	b.WriteByte('\n')
	return b.String()
}
