package contract

import (
	"net/url"
	"slices"
	"strings"
)

// ParseQuery reads the query string of a URL and returns everything that is wrong with it, with the parameter's name in
// FieldError.Field.
//
// It is stricter than net/url, whose URL.Query leaves out what it cannot read: a filter that is left out selects
// everything, and the answer looks like one to what was asked. For the same reason a parameter without a value is refused.
func ParseQuery(raw string) (url.Values, []FieldError) {
	values := url.Values{}
	var problems []FieldError
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}

		// A semicolon separated parameters once: some clients still write it so, and net/url drops such a pair.
		name, value, err := parsePair(pair)
		switch {
		case strings.Contains(pair, ";"):
			problems = append(problems, FieldError{Field: name, Reason: "holds a semicolon: separate parameters with &, and write %3B in a value"})
		case err != nil:
			problems = append(problems, FieldError{Field: name, Reason: err.Error() + ": write %25 for a per cent sign"})
		case name == "":
			problems = append(problems, FieldError{Reason: "a value stands without the name of a parameter"})
		case value == "":
			problems = append(problems, FieldError{Field: name, Reason: "has no value: leave the parameter out"})
		default:
			values[name] = append(values[name], value)
		}
	}
	return values, problems
}

// parsePair reads name=value. With an error the name is what can be said of it.
func parsePair(pair string) (name, value string, err error) {
	rawName, rawValue, _ := strings.Cut(pair, "=")
	name, err = url.QueryUnescape(rawName)
	if err != nil {
		return rawName, "", err
	}
	value, err = url.QueryUnescape(rawValue)
	return name, value, err
}

// ParseQueryOf is ParseQuery where only the known parameters may be given, each once.
func ParseQueryOf(raw string, known ...string) (url.Values, []FieldError) {
	values, problems := ParseQuery(raw)
	for name, all := range values {
		switch {
		case !slices.Contains(known, name):
			problems = append(problems, FieldError{Field: name, Reason: "unknown parameter"})
		case len(all) > 1:
			problems = append(problems, FieldError{Field: name, Reason: "may be given once"})
		}
	}

	// The range over a map has no order, and an answer should have one.
	slices.SortStableFunc(problems, func(a, b FieldError) int { return strings.Compare(a.Field, b.Field) })
	return values, problems
}
