package planview

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWrap(t *testing.T) {
	long := strings.Repeat("x", 120)
	for want, in := range map[string][3]string{
		"# - a b\n": {"# ", "- ", "a  b\n"},
		"":          {"# ", "- ", strings.Repeat("four ", 40) + long},
		"  \n":      {"", "  ", ""},
	} {
		got := Wrap(in[0], in[1], in[2])
		if want != "" && got != want {
			t.Errorf("%q: got %q", in, got)
		}
		for i, line := range strings.Split(strings.TrimSuffix(got, "\n"), "\n") {
			if utf8.RuneCountInString(line) > lineWidth && strings.TrimLeft(line, "# -") != long {
				t.Errorf("%q is too long", line)
			}
			if i > 0 && !strings.HasPrefix(line, in[0]+strings.Repeat(" ", len(in[1]))) {
				t.Errorf("%q does not stand under the text", line)
			}
		}
		if words := strings.Fields(strings.ReplaceAll(got, "\n"+in[0], " ")); len(words) < len(strings.Fields(in[2])) {
			t.Errorf("words were lost: %q", got)
		}
	}
}
