package policyfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// TestFormatThenParse2: whatever a valid policy says, its written form says too.
func TestFormatThenParse2(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawPolicy(t)
		if problems := want.Validate(); problems != nil {
			t.Fatalf("drew a policy that is not valid: %v", problems)
		}

		text, err := Format(Document{V2: &want})
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(text)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if diff := cmp.Diff(want, *got.V2); diff != "" {
			t.Fatalf("%s through\n%s", diff, text)
		}
	})
}

// drawPolicy draws a valid policy.
func drawPolicy(t *rapid.T) policy2.Policy {
	p := policy2.Default()
	p.Mode = rapid.SampledFrom([]contract.Mode{contract.ModeObserve, contract.ModeEnforce}).Draw(t, "mode")
	p.Tick = drawDuration(t, "tick", policy2.Second, policy2.Hour)
	p.Warmup = rapid.IntRange(0, 1000).Draw(t, "warmup")
	p.Surprise = rapid.IntRange(1, 100).Draw(t, "surprise")
	p.Idle.CPU = policy2.Percent(rapid.Int64Range(0, 100_00).Draw(t, "idle.cpu"))
	p.Idle.Net = policy2.Size(rapid.Int64Range(0, 1<<30).Draw(t, "idle.net"))
	p.Rank = rapid.Permutation(p.Rank).Draw(t, "rank")
	p.Gates.Settle = contract.Duration(rapid.IntRange(0, 3600).Draw(t, "settle")) * contract.Duration(time.Second)
	p.Act.Calls = rapid.SampledFrom([][]contract.Rung{
		{contract.RungStop, contract.RungRemove}, {contract.RungKill, contract.RungRemove}, {contract.RungStop, contract.RungKill, contract.RungRemove},
	}).Draw(t, "calls")
	p.Act.Grace = drawDuration(t, "grace", 0, 30*policy2.Second)

	if rapid.Bool().Draw(t, "images") {
		for _, image := range rapid.SliceOfN(drawText(imageRunes), 1, 3).Draw(t, "images") {
			p.Images[image] = drawClass(t)
		}
	}

	// Each has a label that is no glob, so that none owns every container; what protects the last one is not drawn.
	p.Own = append(drawSelectors(t, "own", 0), policy2.Selector{})
	for i := range p.Own {
		p.Own[i].Label, p.Own[i].Labels = &policy2.Label{Key: "own", Any: true}, nil
		p.Own[i].Socket = rapid.Bool().Draw(t, "socket")
	}
	for range rapid.IntRange(0, 2).Draw(t, "protect") {
		l := drawLabel(t)
		p.Protect = append(p.Protect, rapid.SampledFrom([]policy2.Selector{
			{Label: &l}, {Image: []string{"redis*", "a/b:1"}}, {Name: []string{"*db?"}}, {Project: []string{"p q", "r"}}, {Class: []contract.Class{"low"}},
		}).Draw(t, "protected"))
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "rules") {
		p.Rules = append(p.Rules, drawRule(t, i))
	}
	p.Budget = policy2.Budget(drawRates(t))
	return p
}

func drawDuration(t *rapid.T, name string, low, high policy2.Duration) policy2.Duration {
	return policy2.Duration(rapid.Int64Range(int64(low), int64(high)).Draw(t, name))
}

// Characters of texts, with those that mean something to YAML.
const (
	labelRunes = "ab1.-_/:#*{}[]\"'\\%&!|>@`é,"
	valueRunes = labelRunes + " =?~"
	imageRunes = "ab1.-_/:@"
)

func drawText(runes string) *rapid.Generator[string] {
	words := rapid.SampledFrom([]string{"true", "null", "no", "12", "1.5", "0x1", "on", "~", "a: b", "- a", "k: {v}", "é", "=", "1e3", ".inf"})
	return rapid.OneOf(rapid.StringOfN(rapid.RuneFrom([]rune(runes)), 1, 6, -1), words.Filter(func(s string) bool {
		return strings.Trim(s, runes+"abcdefghijklmnopqrstuvwxyz0123456789") == ""
	}))
}

func drawClass(t *rapid.T) contract.Class {
	return contract.Class(rapid.SampledFrom([]string{"low", "high", "null", "12", "-", "a-1"}).Draw(t, "class"))
}

func drawKey(t *rapid.T) string {
	return drawText(strings.NewReplacer("*", "", "?", "").Replace(labelRunes)).Draw(t, "key")
}

func drawLabel(t *rapid.T) policy2.Label {
	if rapid.Bool().Draw(t, "any") {
		return policy2.Label{Key: drawKey(t), Any: true}
	}
	return policy2.Label{Key: drawKey(t), Value: rapid.OneOf(drawText(valueRunes), rapid.Just("")).Draw(t, "value")}
}

func drawSelectors(t *rapid.T, name string, least int) []policy2.Selector {
	out := []policy2.Selector{}
	for range rapid.IntRange(least, 2).Draw(t, name) {
		out = append(out, drawSelector(t))
	}
	return out
}

func drawSelector(t *rapid.T) (s policy2.Selector) {
	globs := func(name string, runes string) []string {
		if rapid.Bool().Draw(t, name) {
			return rapid.SliceOfN(drawText(runes), 1, 2).Draw(t, name)
		}
		return nil
	}
	s.Network, s.Image, s.Project = globs("network", valueRunes), globs("image", valueRunes), globs("project", valueRunes)
	s.Name = globs("name", strings.ReplaceAll(valueRunes, "/", ""))

	switch l := drawLabel(t); rapid.IntRange(0, 2).Draw(t, "labels") {
	case 0:
		s.Class = []contract.Class{drawClass(t)}
	case 1:
		s.Label = &l
	case 2:
		s.Labels = []policy2.Label{l, {Key: l.Key + "x", Value: "*"}}
	}
	return s
}

func drawRule(t *rapid.T, i int) policy2.Rule {
	r := policy2.Rule{Name: drawText(valueRunes).Draw(t, "name") + fmt.Sprint(i)}
	if rapid.Bool().Draw(t, "match") {
		r.Match = drawSelectors(t, "match", 1)
	}
	r.Each = rapid.SampledFrom([]policy2.Each{policy2.EachUnset, policy2.EachContainer, policy2.EachProject}).Draw(t, "each")

	ladder := drawLadder(t)
	switch {
	case rapid.Bool().Draw(t, "keep"):
		r.Each = max(r.Each, policy2.EachContainer)
		r.Keep = policy2.Keep{Order: rapid.SampledFrom(policy2.Orders()).Draw(t, "order"), Places: rapid.IntRange(1, 10_000).Draw(t, "places")}
		by := rapid.SampledFrom([]policy2.GroupBy{policy2.ByAll, policy2.ByImage, policy2.ByClass, policy2.ByLabel}).Draw(t, "per")
		if r.Keep.Per.By = by; by == policy2.ByLabel {
			r.Keep.Per.Label = drawKey(t)
		}
		r.Rest, r.RestWhen = ladder, drawConditions(t, ladder)
	case rapid.Bool().Draw(t, "stay"):
		r.Do = policy2.Ladder{{Step: policy2.StepKeep}}
		r.When = drawConditions(t, r.Do)
	default:
		r.Do, r.When = ladder, drawConditions(t, ladder)
	}

	steps := r.Steps()
	switch {
	case steps.Has(policy2.StepRemove):
		r.Volumes = rapid.SampledFrom([]string{"", policy2.VolumesAnonymous}).Draw(t, "volumes")
	case steps.Has(policy2.StepStop):
		r.Rm = rapid.SampledFrom([]string{"", policy2.RmRemove}).Draw(t, "rm")
	}
	if steps.Has(policy2.StepThrottle) {
		r.Calm = drawDuration(t, "calm", policy2.Minute, 7*policy2.Day)
	}
	return r
}

func drawLadder(t *rapid.T) policy2.Ladder {
	out := policy2.Ladder{}
	for _, step := range []policy2.Step{policy2.StepWarn, policy2.StepThrottle, policy2.StepStop, policy2.StepRemove} {
		if rapid.Bool().Draw(t, string(step)) {
			out = append(out, policy2.Rung{Step: step, After: drawDuration(t, "after", policy2.Minute, 6*policy2.Hour)})
		}
		if n := len(out); n > 0 && step == policy2.StepThrottle && out[n-1].Step == step {
			out[n-1].To = policy2.Percent(rapid.SampledFrom([]int64{0, 1_00, 50_00, 33_33, 10_000_00}).Draw(t, "to"))
		}
	}
	if len(out) == 0 {
		out = policy2.Ladder{{Step: policy2.StepRemove}}
	}
	out[0].After = 0
	return out
}

// drawConditions draws such as make sense with these steps.
func drawConditions(t *rapid.T, steps policy2.Ladder) (c policy2.Conditions) {
	life := steps.Has(policy2.StepStop) || steps.Has(policy2.StepRemove)
	if rapid.Bool().Draw(t, "age") {
		c.Age = drawDuration(t, "age", policy2.Minute, 3650*policy2.Day)
	}
	if rapid.Bool().Draw(t, "expired") {
		c.Expired = drawKey(t)
	}
	if rapid.Bool().Draw(t, "idle") {
		c.Idle = drawDuration(t, "idle", policy2.Minute, 90*policy2.Day)
	}
	if !rapid.Bool().Draw(t, "figures") {
		return c
	}

	c.CPU = policy2.Percent(rapid.Int64Range(1_00, 999_999_99).Draw(t, "cpu"))
	c.Processes = rapid.IntRange(0, 1_000_000).Draw(t, "processes")
	c.RAM = rapid.SampledFrom([]policy2.Memory{{}, {Size: 1024}, {Size: 3 << 40}, {Size: 1025 << 10}, {Percent: 1}, {Percent: 100_00}}).Draw(t, "ram")
	if rapid.Bool().Draw(t, "restarts") {
		c.Restarts = policy2.Restarts{Count: rapid.IntRange(1, 100).Draw(t, "count"), Within: drawDuration(t, "within", policy2.Minute, policy2.Day)}
	}
	if life || rapid.Bool().Draw(t, "for") {
		c.For = drawDuration(t, "for", 10, 7*policy2.Day)
	}
	return c
}

// drawRates draws rates that rise with their span, so that none is below another.
func drawRates(t *rapid.T) []policy2.Rate {
	var out []policy2.Rate
	n := 1
	for _, span := range []policy2.Duration{0, policy2.Minute, 90 * policy2.Second, policy2.Hour, policy2.Day, 36 * policy2.Hour, 7 * policy2.Day} {
		if rapid.Bool().Draw(t, "rate") {
			n = rapid.IntRange(n, 10_000).Draw(t, "N")
			out = append(out, policy2.Rate{N: n, Span: span})
		}
	}
	return out
}

// FuzzParse2: no text may crash the reader, nothing is said twice, and what is accepted is valid and reads the same when it is
// written and read again.
func FuzzParse2(f *testing.F) {
	paths, err := filepath.Glob(filepath.Join("..", "..", "..", "..", "policy", "examples", "*.yaml"))
	if err != nil || len(paths) == 0 {
		f.Fatal(paths, err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, seed := range []string{
		"", "version: 2", "version: 2\nown: [{name: *a}]\n", "version: 2\nown: [{name: *}]", "version: 2\nbudget: [5 per 60m, 5 per 1h, 4 per tick]\n",
		"version: 2\nprotect: {names: [a]}\nquota: 1\n", "version: 2\nidle: {cpu: 0.1, net: 1KiB}\nsurprise: 5%\nyoung: {max: 2}\n",
		aRule("keep: {newest: 1, per: label a}, each: project, rest_when: {age: 1d12h}, rest: [throttle to 1.25%, {after: 1m, do: stop}], calm: 1h"),
		aRule("match: [{labels: [a=b, \"c=*\"], network: x, class: [low, high], socket: true}], when: {ram: 5%, restarts: 5 in 10m, for: 1w}, do: remove, rm: remove"),
		aRule("when: {expired: a, ended: 7 days, processes: 0x10}, do: [{do: warn}, stop, [remove]], until: 1m, hours: ~"),
	} {
		f.Add([]byte(seed))
	}

	f.Fuzz(func(t *testing.T, text []byte) { checkText(t, text) })
}

// TestSpoiledPolicies: FuzzParse2 for texts that are nearly policies, which bytes at random seldom are.
func TestSpoiledPolicies(t *testing.T) {
	tokens := regexp.MustCompile(`[A-Za-z0-9_%*.]+|[{}\[\],:-]`)
	wrong := []string{"", "*", "*a", "0", "-1", "5", "0%", "200", "1w", "7 days", "500ms", "keep", "stop", "warn", "when", "do", "label", "hours", "{}", "[]", "~", "&a", "!!str", "x:", ":"}
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		text, err := Format(Document{V2: &p})
		if err != nil {
			t.Fatal(err)
		}

		for range rapid.IntRange(1, 8).Draw(t, "spoiled") {
			found := tokens.FindAllIndex(text, -1)
			at := rapid.SampledFrom(found).Draw(t, "token")
			other := rapid.SampledFrom(found).Draw(t, "another")
			with := rapid.SampledFrom(append(wrong, string(text[other[0]:other[1]]))).Draw(t, "with")
			text = slices.Concat(text[:at[0]], []byte(with), text[at[1]:])
		}
		checkText(t, text)
	})
}

// checkText reads a text: what is wrong with it is said once and in the order of the lines, and what is accepted is valid and
// reads the same when it is written and read again.
func checkText(t rapid.TB, text []byte) {
	d, err := Parse(text)
	if err != nil {
		var problems contract.Problems
		if !errors.As(err, &problems) || len(problems) == 0 {
			t.Fatalf("an error that is no list of problems: %v", err)
		}
		for i, p := range problems {
			if slices.Contains(problems[:i], p) || i > 0 && p.Line < problems[i-1].Line {
				t.Fatalf("twice, or not in the order of lines: %v in\n%s", p, text)
			}
		}
		return
	}
	if d.V2 == nil {
		return // FuzzParse
	}

	if problems := d.V2.Validate(); problems != nil {
		t.Fatalf("accepted although %v", problems)
	}
	again, err := Format(d)
	if err != nil {
		t.Fatal(err)
	}
	q, err := Parse(again)
	if err != nil {
		t.Fatalf("%v in\n%s", err, again)
	}
	if diff := cmp.Diff(d, q); diff != "" {
		t.Fatalf("%s through\n%s", diff, again)
	}
}
