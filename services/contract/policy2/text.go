package policy2

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Label is one label that must be there: with any value, or with one that matches a glob.
type Label struct {
	Key string
	// Value is a glob; Any says that the value does not matter.
	Value string
	Any   bool
}

// ParseLabel reads KEY or KEY=GLOB.
func ParseLabel(text string) (Label, error) {
	key, value, valued := strings.Cut(text, "=")
	switch {
	case strings.ContainsAny(key, "*?"):
		return Label{}, wrong("the key of a label takes no glob", "write it out")
	case !isLabelKey(key):
		return Label{}, wrong(fmt.Sprintf("%q is not a label", text), "KEY or KEY=GLOB")
	}
	return Label{Key: key, Value: value, Any: !valued}, nil
}

// isLabelKey says whether a text can be a label's key in a policy: something, without spaces or what does not print.
func isLabelKey(key string) bool {
	return key != "" && !strings.ContainsFunc(key, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) })
}

func (l Label) String() string {
	if l.Any {
		return l.Key
	}
	return l.Key + "=" + l.Value
}

// MarshalText writes String.
func (l Label) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads what ParseLabel reads.
func (l *Label) UnmarshalText(text []byte) error { return unmarshal(l, text, ParseLabel) }

// wholeNumber reads a number without sign that an int of any machine holds, and n is -1 where it is none.
func wholeNumber(text string) int {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return -1
	}
	return int(n)
}

// ParseRate reads N per tick or N per DURATION.
func ParseRate(text string) (Rate, error) {
	number, span, ok := strings.Cut(text, " per ")
	if strings.HasSuffix(number, "%") && ok {
		return Rate{}, wrong(text+": percentages are specified for later, not built", "")
	}

	r := Rate{N: wholeNumber(number)}
	if span != "tick" {
		var err error
		r.Span, err = ParseDuration(span)
		ok = ok && err == nil && r.Span > 0 // 0 is the span of a tick
	}

	if !ok || r.N < 0 {
		return Rate{}, wrong(fmt.Sprintf("%q is not a rate", text), "N per tick, N per 1m")
	}
	return r, nil
}

func (r Rate) String() string { return strconv.Itoa(r.N) + " per " + r.span() }

func (r Rate) span() string {
	if r.Span == 0 {
		return "tick"
	}
	return r.Span.String()
}

// MarshalText writes String.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what ParseRate reads.
func (r *Rate) UnmarshalText(text []byte) error { return unmarshal(r, text, ParseRate) }

// Budget is the budget of a policy that writes these rates: each replaces that of its own span, the others stay as they are
// by default. It is sorted by span, that of a tick first; written ones of the same span stay both.
func Budget(written []Rate) []Rate {
	out := slices.Clone(written)
	for _, r := range defaultBudget() {
		if !slices.ContainsFunc(written, func(w Rate) bool { return w.Span == r.Span }) {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b Rate) int { return cmp.Compare(a.Span, b.Span) })
	return out
}

// ParseRestarts reads N in DURATION.
func ParseRestarts(text string) (Restarts, error) {
	number, within, ok := strings.Cut(text, " in ")
	d, err := ParseDuration(within)
	r := Restarts{Count: wholeNumber(number), Within: d}
	if !ok || err != nil || r.Count < 0 {
		return Restarts{}, wrong(fmt.Sprintf("%q is not a count within a time", text), "5 in 10m")
	}
	return r, nil
}

func (r Restarts) String() string { return strconv.Itoa(r.Count) + " in " + r.Within.String() }

// IsZero says whether the condition is not set.
func (r Restarts) IsZero() bool { return r == Restarts{} }

// MarshalText writes String.
func (r Restarts) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what ParseRestarts reads.
func (r *Restarts) UnmarshalText(text []byte) error { return unmarshal(r, text, ParseRestarts) }

// ParseMemory reads a size, or a percent of the host's memory.
func ParseMemory(text string) (m Memory, err error) {
	if strings.HasSuffix(text, "%") {
		m.Percent, err = ParsePercent(text)
		return m, err
	}
	if m.Size, err = ParseSize(text); err != nil {
		return Memory{}, wrong(fmt.Sprintf("%q is neither a size nor a percent", text), "such as 512MiB, or 10% of the host's memory")
	}
	return m, nil
}

func (m Memory) String() string {
	if m.Percent != 0 {
		return m.Percent.String()
	}
	return m.Size.String()
}

// IsZero says whether the condition is not set.
func (m Memory) IsZero() bool { return m == Memory{} }

// MarshalText writes String.
func (m Memory) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads what ParseMemory reads.
func (m *Memory) UnmarshalText(text []byte) error { return unmarshal(m, text, ParseMemory) }

// ParsePer reads project, image, class or label KEY.
func ParsePer(text string) (Per, error) {
	by := GroupBy(text)
	if by == ByProject || by == ByImage || by == ByClass {
		return Per{By: by}, nil
	}

	key, ok := strings.CutPrefix(text, string(ByLabel)+" ")
	if !ok || !isLabelKey(key) || strings.Contains(key, "=") {
		return Per{}, wrong(fmt.Sprintf("per %q is not known", text), "project, image, class or label KEY")
	}
	return Per{By: ByLabel, Label: key}, nil
}

// String is what ParsePer reads, "" for one group of all.
func (p Per) String() string {
	if p.By == ByLabel {
		return string(ByLabel) + " " + p.Label
	}
	return string(p.By)
}

// MarshalText writes String.
func (p Per) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what ParsePer reads.
func (p *Per) UnmarshalText(text []byte) error { return unmarshal(p, text, ParsePer) }

// Orders are the orders in which places are given.
func Orders() []Order { return []Order{Lightest, Heaviest, Newest, Oldest} }

// IsZero says whether the rule gives no places.
func (k Keep) IsZero() bool { return k == Keep{} }

// MarshalJSON writes one mapping: {"newest": 2, "per": "label a"}.
func (k Keep) MarshalJSON() ([]byte, error) {
	out := map[string]any{string(k.Order): k.Places}
	if k.Per != (Per{}) {
		out["per"] = k.Per
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes: one order, and per where there are groups.
func (k *Keep) UnmarshalJSON(text []byte) error {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil {
		return err
	}

	var out Keep
	if per, ok := keys["per"]; ok {
		if err := json.Unmarshal(per, &out.Per); err != nil {
			return err
		}
		delete(keys, "per")
	}

	// What is left is the one order.
	for key, value := range keys {
		if len(keys) > 1 || !slices.Contains(Orders(), Order(key)) {
			return wrong("keep has one number", "one of lightest, heaviest, newest, oldest")
		}
		out.Order = Order(key)
		if err := json.Unmarshal(value, &out.Places); err != nil || out.Places > math.MaxInt32 {
			return wrong("keep."+key+" is not a whole number", "")
		}
	}

	*k = out
	return nil
}
