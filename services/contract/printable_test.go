package contract

import "testing"

func TestPrintable(t *testing.T) {
	for s, want := range map[string]string{
		"":                  "",
		"web ñ 7":           "web ñ 7",
		"a\nb\x1b[2Jc":      "a\ufffdb\ufffd[2Jc",
		"left\u202eright":   "left\ufffdright",
		"half\xc3":          "half\ufffd",
		"no\u00a0break\t\r": "no\ufffdbreak\ufffd\ufffd",
	} {
		if got := Printable(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

func TestShortenCountsCharacters(t *testing.T) {
	for s, want := range map[string]string{"": "", "ñññ": "ñññ", "ññññ": "ñññ…", "abcdef": "abc…"} {
		if got := Shorten(s, 3); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}
