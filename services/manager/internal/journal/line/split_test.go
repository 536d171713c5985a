package line

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawnValue is a JSON value as lines are written.
func drawnValue(t *rapid.T, depth int) string {
	kinds := []string{"number", "text", "null"}
	if depth > 0 {
		kinds = append(kinds, "list", "object")
	}

	var parts []string
	size := rapid.IntRange(0, 3).Draw(t, "size")
	switch rapid.SampledFrom(kinds).Draw(t, "kind") {
	case "number":
		return fmt.Sprint(rapid.Int64().Draw(t, "number"))
	case "null":
		return "null"
	case "text":
		return string(appendText(nil, rapid.StringOf(rapid.SampledFrom([]rune(`ab"\{}[],:é`))).Draw(t, "text")))

	case "list":
		for range size {
			parts = append(parts, drawnValue(t, depth-1))
		}
		return "[" + strings.Join(parts, ",") + "]"
	default:
		return drawnObject(t, size, depth)
	}
}

func drawnObject(t *rapid.T, size, depth int) string {
	var parts []string
	for i := range size {
		parts = append(parts, fmt.Sprintf(`"k%d":%s`, i, drawnValue(t, depth-1)))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// TestMembersAreThoseOfJSON: an object and a list fall into the same parts as they do for encoding/json, and a text that is cut short
// is refused.
func TestMembersAreThoseOfJSON(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := drawnObject(rt, rapid.IntRange(0, 4).Draw(rt, "members"), 3)
		var want map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			rt.Fatal(err)
		}

		got := map[string]json.RawMessage{}
		err := eachMember([]byte(text), func(key, value []byte) error {
			got[string(key)] = value
			return nil
		})
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			rt.Fatalf("%s: %v\n%s", text, err, diff)
		}

		var list []json.RawMessage
		err = eachElement([]byte("["+text+","+text+"]"), func(value []byte) error {
			list = append(list, value)
			return nil
		})
		if diff := cmp.Diff([]json.RawMessage{json.RawMessage(text), json.RawMessage(text)}, list); err != nil || diff != "" {
			rt.Fatalf("%s: %v\n%s", text, err, diff)
		}

		short := text[:rapid.IntRange(0, len(text)-1).Draw(rt, "short")]
		if err := eachMember([]byte(short), func(_, _ []byte) error { return nil }); err == nil {
			rt.Fatalf("%s is taken for an object", short)
		}
	})

	for _, text := range []string{
		``, `{`, `}`, `{,}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":1 ,"b":2}x`, `{"a":"}`, `{"a":"\"}`, `{"a":[1}`, `{a:1}`, `{"a":{"b":1}`, `{"a":1]`, `null`,
	} {
		if err := eachMember([]byte(text), func(_, _ []byte) error { return nil }); err == nil {
			t.Errorf("%q is taken for an object", text)
		}
	}
}

// TestStartOfALine: what the start says is what the whole line says, and a line of another kind has none.
func TestStartOfALine(t *testing.T) {
	for _, c := range []struct {
		text string
		ok   bool
	}{
		{`{"v":2,"seq":7,"since":6,"facts":310,"sequence":4,"boot_us":5}`, true},
		{`{"v":2,"seq":7,"since":6,"facts":310,"look":2,"sequence":4,"boot_us":5}`, true},
		{`{"v":2,"seq":8,"verdict":310,"hash":"0"}`, true},
		{`{"v":2,"seq":8,"verdict":310,"look":2,"hash":"0"}`, true},
		{`{"v":2,"seq":7,"since":6,"memory":{},"facts":310,"sequence":4}`, false},
		{`{"v":2,"seq":7,"at":"2026-01-02T03:04:00Z","head":{"last_tick":3},"facts":3,"sequence":4}`, false},
		{`{"v":2,"seq":0,"since":6,"facts":310,"sequence":4}`, false},
		{`{"v":2,"seq":07,"since":6,"facts":310,"sequence":4}`, false},
		{`{"v":2,"seq":7,"since":-6,"facts":310,"sequence":4}`, false},
		{`{"v":2,"seq":99999999999999999999,"facts":310,"sequence":4}`, false},
		{`{"v":2,"seq":7,"facts":"310","sequence":4}`, false},
		{`{"v":2,"seq":7,"verdict":310,"look":3,"hash":"0"}`, false},
		{`{"v":1,"seq":7,"facts":310,"sequence":4}`, false},
		{`{"v":2,"seq":7,"facts":310`, false},
		{``, false},
	} {
		got, ok := StartOf([]byte(c.text))
		if ok != c.ok {
			t.Errorf("%s: %v", c.text, ok)
		}
		if !ok {
			continue
		}

		var want Start
		if err := json.Unmarshal([]byte(c.text), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(c.text, diff)
		}
	}
}
