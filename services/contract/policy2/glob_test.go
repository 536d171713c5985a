package policy2_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"gestor.local/contract/policy2"
)

func TestMatchesGlob(t *testing.T) {
	for _, test := range []struct {
		glob, s string
		want    bool
	}{
		{"web", "web", true},
		{"web", "web1", false},
		{"web", "aweb", false},
		{"Web", "web", false},
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"*", "a/b:c", true},
		{"**", "x", true},
		{"?", "", false},
		{"?", "é", true},
		{"??", "é", false},
		{"*??", "€", false},
		{"*?", "€", true},
		{"pr-*", "pr-", true},
		{"pr-*", "pr", false},
		{"*-db", "shop-db", true},
		{"*-db", "shop-db-1", false},
		{"a*b*c", "axxbyyc", true},
		{"a*b*c", "axxcyyb", false},
		{"a*bc", "abcbc", true},
		{"a?c*", "abcd", true},
		{"[a-z]", "b", false},
		{"[a-z]", "[a-z]", true},
		{"*", "*", true},
		{"a*c", "a*c", true},
		{`\*`, "*", false},
	} {
		if got := policy2.MatchesGlob(test.glob, test.s); got != test.want {
			t.Errorf("%q of %q: %t", test.glob, test.s, got)
		}
	}
}

// A glob that makes a naive matcher try every way to divide the text: this test does not end with one.
func TestMatchesGlobIsNotExponential(t *testing.T) {
	glob, s := strings.Repeat("a*", 200)+"b", strings.Repeat("a", 20_000)
	if policy2.MatchesGlob(glob, s) {
		t.Error("there is no b")
	}
	if !policy2.MatchesGlob(glob, s+"b") {
		t.Error("there is a b")
	}
}

func FuzzMatchesGlob(f *testing.F) {
	for _, seed := range [][2]string{{"a*b?c", "aXXbYc"}, {"*?é", "xé"}, {"?*?", "ab"}, {"*a*a*", "bab"}, {"\n*", "\nx"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, glob, s string) {
		if !utf8.ValidString(glob) || !utf8.ValidString(s) || len(glob) > 100 {
			t.Skip("a regular expression reads other bytes otherwise")
		}

		want := regexp.MustCompile(`\A(?s:` + strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(glob)) + `)\z`)
		if got := policy2.MatchesGlob(glob, s); got != want.MatchString(s) {
			t.Errorf("%q of %q: %t", glob, s, got)
		}
	})
}
