package policy2

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestNeedsApproval(t *testing.T) {
	cases := map[string]bool{
		`"rules":[]`: false,
		`"own":[]`:   false,
		`"own":[{"label":"gestor.managed=true"}]`:                      false,
		`"own":[{"labels":["a","gestor.managed=true"],"image":["x"]}]`: false,
		`"own":[{"label":"gestor.managed"}]`:                           true,
		`"own":[{"label":"gestor.managed=t*"}]`:                        true,
		`"own":[{"label":"gestor.managed=true"},{"label":"a"}]`:        true,
		`"own":[{"image":["mcp/*"]}]`:                                  true,
	}
	for keys, want := range cases {
		if got := decoded(t, keys).NeedsApproval(); got != want {
			t.Errorf("%s: got %v", keys, got)
		}
	}
}

// approval is a document for a policy, and when and by whom.
func approval(p Policy) Approved {
	return NewApproved(p, time.Date(2026, 11, 29, 9, 14, 20, 5, time.FixedZone("CET", 3600)), "ana@host", 87)
}

func TestApprovedText(t *testing.T) {
	a := approval(decoded(t, everyKey))
	text, err := a.Text()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "approved.json", string(text))

	again, err := ParseApproved(text)
	if err != nil || !again.Approves(a.Policy) || again.Who != "ana@host" || again.OwnCount != 87 || !again.Time.Equal(a.Time) {
		t.Errorf("read again: %+v, %v", again, err)
	}
}

func TestApprovedIsStrict(t *testing.T) {
	text, err := approval(Default()).Text()
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string][2]string{ // what is replaced and by what, by what must stand in the error
		`unknown field "extra"`:      {`"who"`, `"extra":1,"who"`},
		`unknown field "later"`:      {`"rules"`, `"later":[],"rules"`},
		`"who" stands twice`:         {`"who"`, `"who":"eve","who"`},
		`"own_count" is missing`:     {`"own_count": 87,`, ``},
		`"hash" is missing`:          {`"hash"`, `"hush"`},
		`"time" has no value`:        {`"2026-11-29T08:14:20Z"`, `null`},
		`version 2 is not supported`: {`"v": 1`, `"v": 2`},
		`own_count is below zero`:    {`87`, `-1`},
		`version 1 is not supported`: {`"version": 2`, `"version": 1`},
		`cannot parse`:               {`"2026-11-29T08:14:20Z"`, `"yesterday"`},
	}
	for want, change := range cases {
		changed := strings.Replace(string(text), change[0], change[1], 1)
		_, err := ParseApproved([]byte(changed))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}

	// No part of a document is one, and nothing follows it.
	for n := range len(text) - 1 {
		if _, err := ParseApproved(text[:n]); err == nil {
			t.Fatalf("the first %d bytes were read", n)
		}
	}
	if _, err := ParseApproved(append(text, '}')); err == nil {
		t.Error("what follows the document was read over")
	}
}

func TestApproves(t *testing.T) {
	approved := decoded(t, everyKey)
	a := approval(approved)

	for name, c := range map[string]struct {
		change func(*Policy)
		want   bool
	}{
		"the same": {func(*Policy) {}, true},
		"mode":     {func(p *Policy) { p.Mode = "enforce" }, true},
		"tick":     {func(p *Policy) { p.Tick = 5 * Second }, true},
		"gates":    {func(p *Policy) { p.Gates.AlarmAfter++ }, true},
		"another rule": {func(p *Policy) {
			p.Rules = append(slices.Clone(p.Rules), Rule{Name: "x", Do: Ladder{{Step: StepRemove}}})
		}, false},
		"a rule goes":      {func(p *Policy) { p.Rules = p.Rules[:2] }, false},
		"order of rules":   {func(p *Policy) { p.Rules = []Rule{p.Rules[1], p.Rules[0], p.Rules[2]} }, false},
		"own":              {func(p *Policy) { p.Own = append(slices.Clone(p.Own), Selector{Name: []string{"x"}}) }, false},
		"protect":          {func(p *Policy) { p.Protect = nil }, false},
		"a default":        {func(p *Policy) { p.Surprise = 30 }, false},
		"within a mapping": {func(p *Policy) { p.Act.Parallel++ }, false},
	} {
		p := approved
		c.change(&p)
		if got := a.Approves(p); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// A later release has a key that the document lacks, or another default for one that it has.
func TestApprovesAcrossReleases(t *testing.T) {
	p := decoded(t, `"own":[{"label":"a"}],"rules":[{"name":"old","when":{"age":"1d"},"do":"warn"}]`)
	read := func(change func(policy map[string]any)) Approved {
		text, err := approval(p).Text()
		if err != nil {
			t.Fatal(err)
		}
		var document map[string]any
		if err := json.Unmarshal(text, &document); err != nil {
			t.Fatal(err)
		}
		change(document["policy"].(map[string]any))
		text, _ = json.Marshal(document)
		a, err := ParseApproved(text)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}

	without := read(func(policy map[string]any) { delete(policy, "young"); delete(policy, "surprise") })
	if !without.Approves(p) {
		t.Errorf("a key that the document lacks: %v", without.Differences(p))
	}
	other := read(func(policy map[string]any) { policy["surprise"] = 50 })
	if other.Hash != p.Hash() || other.Approves(p) {
		t.Error("another default: approved")
	}
	if got, want := other.Differences(p), []string{"surprise: approved 50, now 30"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDifferences(t *testing.T) {
	a := approval(decoded(t, `"own":[{"label":"a"}],"rules":[{"name":"old","when":{"age":"1d"},"do":"warn"},{"name":"x","do":"warn"}]`))
	p := decoded(t, `"own":[],"mode":"observe","idle":{"net":"0"},"images":{"a":"low"},
		"rules":[{"name":"old","when":{"age":"2d"},"do":["warn",{"after":"1h","do":"stop"}]}]`)
	want := []string{
		`idle.net: approved "100", now "0"`,
		`images: approved {}, now nothing`,
		`images.a: approved nothing, now "low"`,
		`own: approved [{"label":"a"}], now []`,
		`rule "old".do: approved "warn", now ["warn",{"after":"1h","do":"stop"}]`,
		`rule "old".when.age: approved "1d", now "2d"`,
		`rule "x".do: approved "warn", now nothing`,
		`rule "x".each: approved "container", now nothing`,
		`rule "x".name: approved "x", now nothing`,
		`rules: approved ["old","x"], now ["old"]`,
	}
	if got := a.Differences(p); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := a.Differences(a.Policy); got != nil {
		t.Errorf("of itself: %q", got)
	}
}
