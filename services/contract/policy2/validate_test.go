package policy2

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
)

func TestDefaultIsValid(t *testing.T) {
	if problems := Default().Validate(); problems != nil {
		t.Fatal(problems)
	}
}

// withRule is the default policy with one rule.
func withRule(r Rule) Policy {
	p := Default()
	r.Name = "x"
	p.Rules = []Rule{r}
	return p
}

// warnWhen is a policy with one rule, which warns those for whom the conditions hold.
func warnWhen(c Conditions) Policy { return withRule(Rule{When: c, Do: Ladder{{Step: StepWarn}}}) }

// withSteps is a policy with one rule, which does these steps.
func withSteps(steps ...Rung) Policy {
	r := Rule{Do: steps}
	if r.Do.Has(StepThrottle) {
		r.Calm = DefaultCalm
	}
	return withRule(r)
}

// keeping is a policy with one rule, which stops whoever has no place.
func keeping(k Keep) Policy {
	return withRule(Rule{Each: EachContainer, Keep: k, Rest: Ladder{{Step: StepStop}}})
}

// changed is the default policy after a change.
func changed(change func(*Policy)) Policy {
	p := Default()
	change(&p)
	return p
}

// expectProblems compares all that is wrong with a policy, one problem a line.
func expectProblems(t *testing.T, p Policy, want ...string) {
	t.Helper()
	if got := p.Validate().Error(); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// TestBounds: each value is taken at its bounds and refused beyond them.
func TestBounds(t *testing.T) {
	const sec, minute, hour, day = int64(Second), int64(Minute), int64(Hour), int64(Day)
	duration := func(v int64) string { return Duration(v).String() }
	percents := func(v int64) string { return Percent(v).String() }
	number := func(v int64) string { return fmt.Sprint(v) }

	for _, c := range []struct {
		where     string
		low, high int64
		text      func(int64) string
		policy    func(int64) Policy
	}{
		{"tick", sec, hour, duration, func(v int64) Policy { return changed(func(p *Policy) { p.Tick = Duration(v) }) }},
		{"warmup", 0, 1000, number, func(v int64) Policy { return changed(func(p *Policy) { p.Warmup = int(v) }) }},
		{"surprise", 1, 100, func(v int64) string { return fmt.Sprintf("%d%%", v) }, func(v int64) Policy {
			return changed(func(p *Policy) { p.Surprise = int(v) })
		}},
		{"idle.cpu", 0, 100_00, percents, func(v int64) Policy { return changed(func(p *Policy) { p.Idle.CPU = Percent(v) }) }},
		{"idle.net", 0, 1 << 30, func(v int64) string { return Size(v).String() }, func(v int64) Policy {
			return changed(func(p *Policy) { p.Idle.Net = Size(v) })
		}},

		{"gates.max_bad_rows_percent", 0, 100, number, func(v int64) Policy { return changed(func(p *Policy) { p.Gates.MaxBadRowsPercent = int(v) }) }},
		{"gates.min_interval_percent", 1, 100, number, func(v int64) Policy { return changed(func(p *Policy) { p.Gates.MinIntervalPercent = int(v) }) }},
		{"gates.max_interval_percent", 100, 10_000, number, func(v int64) Policy { return changed(func(p *Policy) { p.Gates.MaxIntervalPercent = int(v) }) }},
		{"gates.settle", 0, hour, duration, func(v int64) Policy {
			return changed(func(p *Policy) { p.Gates.Settle = contract.Duration(v) * contract.Duration(time.Second) })
		}},
		{"act.grace", 0, 30, duration, func(v int64) Policy { return changed(func(p *Policy) { p.Act.Grace = Duration(v) }) }},
		{"act.deadline", sec, 10 * minute, duration, func(v int64) Policy { return changed(func(p *Policy) { p.Act.Deadline = Duration(v) }) }},
		{"act.parallel", 1, 64, number, func(v int64) Policy { return changed(func(p *Policy) { p.Act.Parallel = int(v) }) }},

		{"rules[0].when.age", minute, 3650 * day, duration, func(v int64) Policy { return warnWhen(Conditions{Age: Duration(v)}) }},
		{"rules[0].when.idle", minute, 90 * day, duration, func(v int64) Policy { return warnWhen(Conditions{Idle: Duration(v)}) }},
		{"rules[0].when.ended", minute, 3650 * day, duration, func(v int64) Policy { return warnWhen(Conditions{Ended: Duration(v)}) }},
		{"rules[0].when.for", 10, 7 * day, duration, func(v int64) Policy { return warnWhen(Conditions{Processes: 1, For: Duration(v)}) }},
		{"rules[0].when.processes", 1, 1_000_000, number, func(v int64) Policy { return warnWhen(Conditions{Processes: int(v)}) }},
		{"rules[0].keep.oldest", 1, 10_000, number, func(v int64) Policy { return keeping(Keep{Order: Oldest, Places: int(v)}) }},
		{"rules[0].calm", minute, 7 * day, duration, func(v int64) Policy {
			return withRule(Rule{Do: Ladder{{Step: StepThrottle}}, Calm: Duration(v)})
		}},
		{"rules[0].do[1].after", 10, 365 * day, duration, func(v int64) Policy {
			return withSteps(Rung{Step: StepStop}, Rung{Step: StepRemove, After: Duration(v)})
		}},
	} {
		expectProblems(t, c.policy(c.low))
		expectProblems(t, c.policy(c.high))

		for _, v := range []int64{c.low - 1, c.high + 1, -1} {
			if v == 0 && c.low == 1 && strings.HasPrefix(c.where, "rules") {
				continue // in a policy 0 is what is not written
			}
			expectProblems(t, c.policy(v), fmt.Sprintf("%s: %s is out of range (from %s to %s)", c.where, c.text(v), c.text(c.low), c.text(c.high)))
		}
	}
}

// TestBoundsWithWordsOfTheirOwn: values whose bounds are told in another way.
func TestBoundsWithWordsOfTheirOwn(t *testing.T) {
	const ram, restarts = "rules[0].when.ram: %v is out of range (whole KiB, or a percent up to 100%%)", "rules[0].when.restarts: %v is out of range (1 in 1m to 100 in 1d)"
	for _, m := range []Memory{{Size: 1024}, {Size: 1 << 50}, {Percent: 1}, {Percent: 100_00}} {
		expectProblems(t, warnWhen(Conditions{RAM: m}))
	}
	for _, m := range []Memory{{Size: 1023}, {Size: 1025}, {Size: -1024}, {Percent: 100_01}, {Percent: -1}, {Size: 1024, Percent: 1}} {
		expectProblems(t, warnWhen(Conditions{RAM: m}), fmt.Sprintf(ram, m))
	}

	for _, r := range []Restarts{{1, Minute}, {100, Day}} {
		expectProblems(t, warnWhen(Conditions{Restarts: r}))
	}
	for _, r := range []Restarts{{0, Minute}, {101, Minute}, {1, Minute - 1}, {1, Day + 1}} {
		expectProblems(t, warnWhen(Conditions{Restarts: r}), fmt.Sprintf(restarts, r))
	}

	for _, p := range []Percent{1_00, 1_000_000_00} {
		expectProblems(t, warnWhen(Conditions{CPU: p}))
	}
	for _, p := range []Percent{99, -1} {
		expectProblems(t, warnWhen(Conditions{CPU: p}), fmt.Sprintf("rules[0].when.cpu: %v is out of range (1%% or more)", p))
	}
	for _, p := range []Percent{1_00, 10_000_00} {
		expectProblems(t, withSteps(Rung{Step: StepThrottle, To: p}))
	}
	for _, p := range []Percent{99, 10_000_01, -1} {
		expectProblems(t, withSteps(Rung{Step: StepThrottle, To: p}), fmt.Sprintf("rules[0].do: throttle to %v is out of range (from 1%% to 10000%%)", p))
	}

	notice := func(wait Duration) Policy { return withSteps(Rung{Step: StepWarn}, Rung{Step: StepStop, After: wait}) }
	expectProblems(t, notice(Minute))
	expectProblems(t, notice(59), "rules[0].do[1].after: 59s behind warn: too short for a notice (1m or more)")
	expectProblems(t, notice(365*Day))
	expectProblems(t, notice(365*Day+1), "rules[0].do[1].after: 365d1s is out of range (from 10s to 365d)")
	expectProblems(t, withSteps(Rung{Step: StepThrottle}, Rung{Step: StepStop, After: 6 * Hour}))
	expectProblems(t, withSteps(Rung{Step: StepThrottle}, Rung{Step: StepStop, After: 6*Hour + 1}),
		"rules[0].do[1].after: 6h1s behind throttle: a throttle ends after 6h (6h or less)")
}

// TestCounts: how many there may be of what stands in lists.
func TestCounts(t *testing.T) {
	label := func(i int) Label { return Label{Key: fmt.Sprintf("a%d", i), Any: true} }
	selectors := func(n int) (list []Selector) {
		for i := range n {
			l := label(i)
			list = append(list, Selector{Label: &l})
		}
		return list
	}
	labels := func(n int) Policy {
		var list []Label
		for i := range n {
			list = append(list, label(i))
		}
		return changed(func(p *Policy) { p.Own = []Selector{{Labels: list}} })
	}
	named := func(n int) Policy {
		p := withRule(Rule{Do: Ladder{{Step: StepWarn}}})
		p.Rules[0].Name = strings.Repeat("é", n)
		return p
	}
	classed := func(n int) Policy {
		return changed(func(p *Policy) { p.Images = map[string]contract.Class{"a": contract.Class(strings.Repeat("a", n))} })
	}
	rules := func(n int) Policy {
		return changed(func(p *Policy) {
			for i := range n {
				p.Rules = append(p.Rules, Rule{Name: fmt.Sprint(i), Do: Ladder{{Step: StepWarn}}})
			}
		})
	}
	rates := func(n int) Policy {
		return changed(func(p *Policy) {
			for i := range n {
				p.Budget = append(p.Budget, Rate{N: 40, Span: Duration(i+2) * Hour})
			}
		})
	}

	for _, c := range []struct {
		policy func(int) Policy
		most   int
		what   string
	}{
		{func(n int) Policy { return changed(func(p *Policy) { p.Own = selectors(n) }) }, 200, "own: 201 selectors: own has at most 200"},
		{func(n int) Policy { return changed(func(p *Policy) { p.Protect = selectors(n) }) }, 200, "protect: 201 selectors: protect has at most 200"},
		{
			func(n int) Policy { return withRule(Rule{Match: selectors(n), Do: Ladder{{Step: StepWarn}}}) }, 200,
			"rules[0].match: 201 selectors: match has at most 200",
		},
		{labels, 16, "own[0].labels: labels takes 2 to 16, not 17"},
		{named, 48, "rules[0].name: 49 characters: a name has at most 48"},
		{classed, 32, fmt.Sprintf("images.a: %q is not a class (a word of a-z, 0-9 and -, at most 32 of them)", strings.Repeat("a", 33))},
		{rules, 100, "rules: 101 rules: a policy has at most 100"},
		{rates, 8, "budget: 9 rates: a budget has at most 8"}, // beside those that are the default
	} {
		expectProblems(t, c.policy(c.most))
		expectProblems(t, c.policy(c.most+1), c.what)
	}
	expectProblems(t, labels(2))
	expectProblems(t, labels(1), "own[0].labels: labels takes 2 to 16, not 1 (label: for one)")
}

func TestWrittenRates(t *testing.T) {
	for _, c := range []struct {
		rates []Rate
		want  string
	}{
		{[]Rate{{1, 0}, {1, Minute}, {10_000, 7 * Day}}, ""},
		{[]Rate{{50, 0}}, ""}, // what follows from the other spans, which have their default, is no error
		{[]Rate{{0, 0}}, "budget: 0 per tick is out of range (N from 1 to 10000)"},
		{[]Rate{{10_001, 0}}, "budget: 10001 per tick is out of range (N from 1 to 10000)"},
		{[]Rate{{1, Minute - 1}}, "budget: 1 per 59s is out of range (per tick, or a time from 1m to 7d)"},
		{[]Rate{{1, 7*Day + 1}}, "budget: 1 per 7d1s is out of range (per tick, or a time from 1m to 7d)"},
		{[]Rate{{20, Hour}, {50, 0}}, "budget[0]: 20 per 1h is below 50 per tick"},
		{[]Rate{{20, Hour}, {21, Hour}}, "budget[1]: stands twice: 1h"},
	} {
		if got := ValidateBudget(c.rates).Error(); got != c.want {
			t.Errorf("%v: %q, want %q", c.rates, got, c.want)
		}
		if got := changed(func(p *Policy) { p.Budget = Budget(c.rates) }).Validate(); (len(got) == 0) != (c.want == "") {
			t.Errorf("%v in a policy: %v, want %q", c.rates, got, c.want)
		}
	}
}

// TestWhatNoDocumentCanSay: what is wrong only in a policy that was made otherwise.
func TestWhatNoDocumentCanSay(t *testing.T) {
	for _, c := range []struct {
		policy Policy
		want   string
	}{
		{changed(func(p *Policy) { p.Version = 0 }), "version: 0 is not supported (write version: 2)"},
		{
			changed(func(p *Policy) { p.Gates.Settle = contract.Duration(1500 * time.Millisecond) }),
			"gates.settle: 1.5s is out of range (whole seconds, from 0s to 1h)",
		},
		{changed(func(p *Policy) { p.Own = []Selector{{Label: &Label{Key: "a=b", Any: true}}} }), `own[0].label: "a=b" is not a label (KEY or KEY=GLOB)`},
		{changed(func(p *Policy) { p.Own = []Selector{{Label: &Label{Key: "a", Value: "\x1b"}}} }), `own[0].label: "a=\x1b" is not a label (KEY or KEY=GLOB)`},
		{withSteps(Rung{}), `rules[0].do: "" is not a step (keep, warn, throttle, stop, remove)`},
		{withSteps(Rung{Step: StepStop, To: 50_00}), `rules[0].do: "stop" takes no percent (throttle to 50%)`},
		{withRule(Rule{Do: Ladder{}}), "rules[0].do: has no step (keep, warn, throttle, stop, remove)"},
		{withRule(Rule{Do: Ladder{{Step: StepThrottle}}}), "rules[0].calm: 0s is out of range (from 1m to 7d)"},
		{keeping(Keep{Order: "best", Places: 1}), `rules[0].keep: "best" is not known (one of: lightest, heaviest, newest, oldest)`},
		{keeping(Keep{Order: Newest, Places: 1, Per: Per{By: "owner"}}), `rules[0].keep.per: per "owner" is not known (project, image, class or label KEY)`},
		{keeping(Keep{Order: Newest, Places: 1, Per: Per{By: ByLabel}}), `rules[0].keep.per: "" is not the key of a label (such as ci.ttl)`},
		{
			changed(func(p *Policy) {
				p.Rules = []Rule{{Name: "a", Do: Ladder{{Step: StepWarn}}}, {Name: "a", Do: Ladder{{Step: StepWarn}}}}
			}),
			"rules[1].name: stands twice, first at rules[0]",
		},
	} {
		expectProblems(t, c.policy, c.want)
	}
}

// TestForStandsBesideAFigure: what already lasts may stand with for as long as for is about something else, too.
func TestForStandsBesideAFigure(t *testing.T) {
	stop := func(c Conditions) Policy { return withRule(Rule{When: c, Do: Ladder{{Step: StepStop}}}) }
	expectProblems(t, stop(Conditions{Age: Hour, CPU: 150_00, For: Minute}))
	expectProblems(t, stop(Conditions{Idle: Hour, RAM: Memory{Size: 1 << 30}, For: 10 * Second}))
	expectProblems(t, stop(Conditions{Processes: 500}))
	expectProblems(t, stop(Conditions{Processes: 500, Age: Hour, For: Minute}))
	expectProblems(t, stop(Conditions{Age: Hour, CPU: 150_00}), "rules[0].when.cpu: cpu decides over life without for (add for: 1m or more)")
	expectProblems(t, stop(Conditions{Age: Hour, Idle: Minute, For: Minute}),
		"rules[0].when.age: 1h with for: 1m (age already lasts; remove for)", "rules[0].when.idle: 1m with for: 1m (idle already lasts; remove for)")
}

// TestUnreadValuesAreNotJudged: neither they themselves, nor what rests on them.
func TestUnreadValuesAreNotJudged(t *testing.T) {
	p := withRule(Rule{When: Conditions{CPU: 150_00}, Do: Ladder{{Step: StepStop}}, Calm: Hour, Volumes: VolumesAnonymous})
	p.Tick = 0
	for _, c := range []struct {
		unread string
		want   int
	}{
		{"", 0},
		{"tick", 3},
		{"rules[0].when.for", 3},
		{"rules[0].do", 2},
		{"rules[0].volumes", 3},
		{"rules", 1},
		{"rules[0].when.forty", 4},
		{"rule", 4},
	} {
		if got := p.ValidateRead([]string{c.unread}); len(got) != c.want {
			t.Errorf("without %q: %v", c.unread, got)
		}
	}
}
