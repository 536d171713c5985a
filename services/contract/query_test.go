package contract

import (
	"net/url"
	"reflect"
	"testing"
)

func TestAQueryIsReadWholeOrRefused(t *testing.T) {
	for raw, want := range map[string]url.Values{
		"":                      {},
		"a=1&b=2":               {"a": {"1"}, "b": {"2"}},
		"a=1&a=2":               {"a": {"1", "2"}},
		"&a=1&&":                {"a": {"1"}}, // nothing is left out
		"a=x%3By%26+z&%61b=%3D": {"a": {"x;y& z"}, "ab": {"="}},
		"a==":                   {"a": {"="}},
	} {
		if got, problems := ParseQuery(raw); len(problems) > 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, %v; want %v", raw, got, problems, want)
		}
	}

	for raw, field := range map[string]string{
		"kind=system;limit=1": "kind",
		"b=1&kind=system%":    "kind",
		"kind=%zz":            "kind",
		"%zz=1":               "%zz",
		"kind=":               "kind",
		"kind":                "kind",
		"=1":                  "",
		"kind;":               "kind;",
	} {
		if _, problems := ParseQuery(raw); len(problems) != 1 || problems[0].Field != field || problems[0].Reason == "" {
			t.Errorf("%q: %v, want one problem with %q", raw, problems, field)
		}
	}
}

func TestOnlyKnownParametersOnce(t *testing.T) {
	values, problems := ParseQueryOf("a=1&b=2&a=3&c=&d=%", "a", "b")
	want := []FieldError{
		{Field: "a", Reason: "may be given once"},
		{Field: "c", Reason: "has no value: leave the parameter out"},
		{Field: "d", Reason: `invalid URL escape "%": write %25 for a per cent sign`},
	}
	if values.Get("b") != "2" || !reflect.DeepEqual(problems, want) {
		t.Errorf("%v\n%v", values, problems)
	}
	if _, problems := ParseQueryOf("nope=1"); len(problems) != 1 || problems[0].Field != "nope" {
		t.Errorf("%v", problems)
	}
}

func FuzzParseQuery(f *testing.F) {
	for _, seed := range []string{"a=1;b=2", "kind=%", "a=&b", "%61=%3b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, problems := ParseQuery(raw)
		want, err := url.ParseQuery(raw)
		if len(problems) == 0 && (err != nil || !reflect.DeepEqual(got, want)) {
			t.Errorf("%q: %v without a problem, net/url says %v, %v", raw, got, want, err)
		}
	})
}
