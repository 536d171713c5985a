package jsonlex

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// Eight bytes at once or one by one: the same bytes are plain.
func TestPlainRun(t *testing.T) {
	for length := range 20 {
		for at := range length {
			for c := range 256 {
				b := []byte(strings.Repeat("a", length))
				b[at] = byte(c)
				for more := range []int{0, 1} { // what comes after must not matter
					if more == 1 && at+1 < length {
						b[at+1] = byte(255 - c)
					}
					want := 0
					for want < length && plain(b[want]) {
						want++
					}
					if got := plainRun(b); got != want {
						t.Fatalf("%q: %d, want %d", b, got, want)
					}
				}
			}
		}
	}
}

func TestString(t *testing.T) {
	tests := map[string]struct {
		text    string
		n       int // of bytes, or where the fault is
		escaped bool
		wide    bool
		fault   Fault
	}{
		"empty":                        {text: `""`, n: 2},
		"plain, with a rest":           {text: `"name":1`, n: 6},
		"escaped quote":                {text: `"a\"b"`, n: 6, escaped: true},
		"every escape":                 {text: `"\"\\\/\b\f\n\r\t"`, n: 18, escaped: true},
		"four digits":                  {text: `"\u00e9"`, n: 8, escaped: true},
		"surrogate pair":               {text: `"\ud83d\uDE00"`, n: 14, escaped: true},
		"beyond ASCII":                 {text: `"é"`, n: 4, wide: true},
		"not UTF-8, which is not ours": {text: "\"\xff\"", n: 3, wide: true},

		"no end":                    {text: `"abc`, n: 4, fault: Unterminated},
		"a quote alone":             {text: `"`, n: 1, fault: Unterminated},
		"ends in an escape":         {text: `"ab\`, n: 3, escaped: true, fault: Unterminated},
		"control byte":              {text: "\"a\n\"", n: 2, fault: ControlByte},
		"control byte after escape": {text: "\"\\t\x01\"", n: 3, escaped: true, fault: ControlByte},
		"unknown escape":            {text: `"ab\x41"`, n: 3, escaped: true, fault: UnknownEscape},
		"three digits":              {text: `"\u12"`, n: 1, escaped: true, fault: MissingDigits},
		"no digit":                  {text: `"\u12g4"`, n: 1, escaped: true, fault: MissingDigits},
		"first half alone":          {text: `"\ud800"`, n: 1, escaped: true, fault: LoneSurrogate},
		"first half twice":          {text: `"\ud800\ud800"`, n: 1, escaped: true, fault: LoneSurrogate},
		"second half alone":         {text: `"\udc00\u0061"`, n: 1, escaped: true, fault: LoneSurrogate},
		"first half, then a letter": {text: `"\ud800abcdef"`, n: 1, escaped: true, fault: LoneSurrogate},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			n, escaped, wide, fault := String([]byte(test.text))
			if n != test.n || escaped != test.escaped || wide != test.wide || fault != test.fault {
				t.Errorf("%s: %d, escaped %t, wide %t, fault %d; want %+v", test.text, n, escaped, wide, fault, test)
			}
		})
	}
}

func TestNumber(t *testing.T) {
	for text, want := range map[string]int{
		"0": 1, "-0": 2, "7,": 1, "12.50]": 5, "1e9": 3, "1E+9 ": 4, "-1.5e-07": 8,
		"": 0, "-": 0, "+7": 0, "07": 0, "-07": 0, ".5": 0, "5.": 0, "1e": 0, "1e+": 0, "NaN": 0, "Infinity": 0,
	} {
		if got, _ := Number([]byte(text)); got != want {
			t.Errorf("%q: %d bytes, want %d", text, got, want)
		}
	}
}

func TestLiteral(t *testing.T) {
	for text, want := range map[string]int{"true": 4, "false,": 5, "null}": 4, "": 0, "tru": 0, "True": 0, "nil": 0} {
		if got := Literal([]byte(text)); got != want {
			t.Errorf("%q: %d bytes, want %d", text, got, want)
		}
	}
}

// A word alone is accepted where encoding/json accepts it, and reads as it reads it: but for the encoding of strings, which
// encoding/json repairs.
func FuzzWords(f *testing.F) {
	for _, seed := range []string{
		`""`, `"\ud83d\ude00\u0000"`, `"\ud800"`, `"\udc00"`, "\"\xff\"", `"\"`, `"\u12"`, "\"\t\"", `"\/é"`,
		`0`, `-0.5e-7`, `07`, `1.`, `1e5`, `true`, `false`, `null`, `nul`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		text = bytes.TrimSpace(text) // white space and nesting are the caller's
		if len(text) == 0 || text[0] == '{' || text[0] == '[' {
			return
		}

		if text[0] != '"' {
			n, _ := Number(text)
			word := max(n, Literal(text)) == len(text)
			if word != json.Valid(text) {
				t.Fatalf("%q is a word: %t", text, word)
			}
			return
		}

		AppendUnquoted(nil, append(text, '"')) // whatever it is
		n, _, wide, fault := String(text)
		word := n == len(text) && fault == None
		if word && !json.Valid(text) || !word && json.Valid(text) && fault != LoneSurrogate {
			t.Fatalf("%q is a string: %t, fault %d", text, word, fault)
		}
		if !word || wide && !utf8.Valid(text) {
			return
		}
		var want string
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		if got := string(AppendUnquoted(nil, text)); got != want {
			t.Fatalf("%q reads as %q, want %q", text, got, want)
		}
	})
}
