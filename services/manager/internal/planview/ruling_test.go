package planview

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// TestNextOfAHeldStep: what follows a step that is held back is promised by no record, and the step itself is where it follows from time
// alone when it will be taken.
func TestNextOfAHeldStep(t *testing.T) {
	v := example()
	in := func(d policy2.Duration) int64 { return v.Facts.GUS + int64(d)*1e6 }
	tick := v.Policy.Tick
	follows := func(step policy2.Step) rules.Verdict {
		return rules.Verdict{Rule: 1, Step: step, Next: &rules.Next{Step: policy2.StepRemove, GUS: in(policy2.Day), Rule: 1}}
	}
	above := follows(policy2.StepStop)
	above.Next = &rules.Next{Step: policy2.StepWarn, GUS: in(policy2.Hour), Rule: 0}
	until := func(of rules.Verdict, d policy2.Duration) rules.Verdict {
		of.UntilGUS = in(d)
		return of
	}
	surprise := []rules.Notice{{Kind: rules.NoticeSurprise, Next: &rules.Next{GUS: in(10 * policy2.Minute)}}}

	for name, test := range map[string]struct {
		held    string
		notices []rules.Notice
		verdict rules.Verdict
		want    *rules.Next
	}{
		"taken":                     {"", nil, follows(policy2.StepStop), &rules.Next{Step: policy2.StepRemove, GUS: in(policy2.Day), Rule: 1}},
		"not approved":              {rules.HeldUnapproved, nil, follows(policy2.StepStop), nil},
		"observed":                  {contract.HeldObserve, nil, follows(policy2.StepWarn), nil},
		"another rule's, by a gate": {"stale", nil, above, above.Next},
		"the first plan":            {rules.HeldChanged, nil, follows(policy2.StepWarn), &rules.Next{Step: policy2.StepWarn, GUS: in(tick), Rule: 1}},
		"a surprise":                {contract.HeldSurprise, surprise, follows(policy2.StepStop), &rules.Next{Step: policy2.StepStop, GUS: in(10 * policy2.Minute), Rule: 1}},
		"a surprise, for one tick":  {contract.HeldSurprise, nil, follows(policy2.StepStop), &rules.Next{Step: policy2.StepStop, GUS: in(tick), Rule: 1}},
		"a rule above comes before": {contract.HeldSurprise, surprise, until(follows(policy2.StepStop), 5*policy2.Minute), nil},
		"a rule above comes after": {
			contract.HeldSurprise, surprise, until(follows(policy2.StepStop), policy2.Hour), &rules.Next{Step: policy2.StepStop, GUS: in(10 * policy2.Minute), Rule: 1},
		},
	} {
		v.Plan.Held, v.Plan.Notices = test.held, test.notices
		texts := v.texts()
		if diff := cmp.Diff(test.want, texts.Next(&test.verdict)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}

		step := ""
		if test.want != nil {
			step = string(test.want.Step)
		}
		if got := texts.Ruling(&test.verdict); got.NextStep != step || got.NextAt.IsZero() != (test.want == nil) {
			t.Errorf("%s: the record says %q at %s", name, got.NextStep, got.NextAt)
		}
	}
}

// What records say of a verdict: the harshest step that is due, of whichever rule, and the earliest change.
func TestRuling(t *testing.T) {
	v := example()
	v.Plan.Held = ""
	texts := v.texts()
	in := func(d policy2.Duration) int64 { return v.Facts.GUS + int64(d)*1e6 }
	at := func(d policy2.Duration) time.Time {
		return time.UnixMicro(v.Facts.WallUS).UTC().Add(time.Duration(d) * time.Second)
	}
	throttle := rules.Passing{Rule: 0, Step: policy2.StepThrottle, Reason: rules.ReasonHolds}

	for name, test := range map[string]struct {
		verdict rules.Verdict
		want    contract.Ruling
		text    string
	}{
		"no rule decides": {rules.Verdict{Rule: -1, Reason: rules.ReasonNoRule}, contract.Ruling{Step: "keep"}, "no rule decides about it"},
		"a place": {
			rules.Verdict{Rule: 1, Reason: contract.ReasonWithinQuota},
			contract.Ruling{Rule: "two each", Place: true, Step: "keep"},
			"it holds a place",
		},
		"a step, and the next": {
			rules.Verdict{Rule: 1, Step: policy2.StepWarn, Reason: rules.ReasonHolds, Next: &rules.Next{Step: policy2.StepStop, GUS: in(policy2.Day), Rule: 1}},
			contract.Ruling{Rule: "two each", Step: "warn", NextStep: "stop", NextAt: at(policy2.Day)},
			"the rule holds",
		},
		"a rule that passes": {
			rules.Verdict{Rule: -1, Reason: rules.ReasonNoRule, Passing: []rules.Passing{throttle}},
			contract.Ruling{Rule: "hogs", Step: "throttle"},
			"the rule holds",
		},
		"a rule that passes is harsher": {
			rules.Verdict{Rule: 1, Step: policy2.StepWarn, Reason: contract.ReasonOverQuota, Passing: []rules.Passing{throttle}},
			contract.Ruling{Rule: "hogs", Step: "throttle"},
			"the rule holds",
		},
		"the rule that decides is harsher": {
			rules.Verdict{Rule: 2, Step: policy2.StepRemove, Reason: rules.ReasonFinished, Passing: []rules.Passing{throttle}},
			contract.Ruling{Rule: "old", Step: "remove"},
			"all steps of the rule are done",
		},
	} {
		test.verdict.Standing = rules.StandingReady
		if test.verdict.Step == "" {
			test.verdict.Step = policy2.StepKeep
		}
		if diff := cmp.Diff(test.want, texts.Ruling(&test.verdict)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if got := texts.OfRuling(&test.verdict); got != test.text {
			t.Errorf("%s: %q, want %q", name, got, test.text)
		}
	}
}

func TestWhoIsOwn(t *testing.T) {
	v := example()
	texts := v.texts()
	for name, want := range map[byte]bool{0: true, 3: true, 4: false, 5: false} {
		if got := texts.IsOwn(id(name)); got != want {
			t.Errorf("%q: own %t", v.Facts.Containers[name].Name, got)
		}
	}
}

func TestFind(t *testing.T) {
	v := example()
	for who, want := range map[string]string{
		"web-2": id(1), id(1): id(1), id(1)[:4]: id(1), id(1)[:3]: "", "web": "", "": "", "ffffg": "",
	} {
		one, ok := v.Find(who)
		if ok != (want != "") || ok && (one.Verdict.ID != want || one.Text == "" || one.Ruling.Step == "") {
			t.Errorf("%q: %t %+v", who, ok, one)
		}
	}

	v.Plan.Verdicts = []rules.Verdict{{ID: "aaaa1", Step: policy2.StepKeep}, {ID: "aaaa2", Step: policy2.StepKeep}}
	if _, ok := v.Find("aaaa"); ok {
		t.Error("two begin like that, and one is found")
	}
}

func TestDueCountsTheHarshestStepOfEach(t *testing.T) {
	passing := []rules.Passing{{Step: policy2.StepThrottle}}
	p := rules.Plan{Verdicts: []rules.Verdict{
		{Step: policy2.StepKeep}, {Step: policy2.StepKeep, Passing: passing}, {Step: policy2.StepRemove, Passing: passing}, {Step: policy2.StepRemove},
	}}
	if diff := cmp.Diff(map[policy2.Step]int{policy2.StepThrottle: 1, policy2.StepRemove: 2}, Due(&p)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What a notice says of a container beside the rule's name.
func TestGrounds(t *testing.T) {
	v := example()
	texts := v.texts()
	age := []rules.Reading{{Key: "age", Value: 8 * 24 * 3600, Known: true, Needs: 3 * 24 * 3600}}
	ready := func(verdict rules.Verdict) *rules.Verdict {
		verdict.Standing = rules.StandingReady
		return &verdict
	}

	for name, test := range map[string]struct {
		verdict *rules.Verdict
		rule    int
		guard   string
		want    string
	}{
		"figures": {ready(rules.Verdict{Rule: 2, Read: age}), 2, "", "age 8d >= 3d"},
		"a place": {ready(rules.Verdict{Rule: 1, Rank: 3, Cut: 2, Read: age}), 1, "", "rank 3, newest first: 2 stay; age 8d >= 3d"},
		"a guard": {
			ready(rules.Verdict{Rule: 2, Read: age}), 2, rules.ReasonRmStop,
			"it was started with --rm: a stop would delete it, so it is only warned of; age 8d >= 3d",
		},
		"a rule that passes": {ready(rules.Verdict{Rule: 2, Rank: 3, Read: age}), 0, "", ""},
		"too new":            {ready(rules.Verdict{Rule: -1, Reason: contract.ReasonYoungFlood}), -1, "", ReasonText(contract.ReasonYoungFlood)},
	} {
		if got := texts.Grounds(test.verdict, test.rule, test.guard); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
