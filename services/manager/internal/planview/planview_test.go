package planview

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

var update = flag.Bool("update", false, "write the golden files")

func id(n byte) string { return strings.Repeat(string('a'+n), 64) }

// example is a plan with a verdict of each kind.
func example() View {
	p := policy2.Default()
	label := policy2.Label{Key: "team", Any: true}
	p.Own = []policy2.Selector{{Label: &label}}
	p.Protect = []policy2.Selector{{Image: []string{"redis*"}}}
	p.Rules = []policy2.Rule{
		{Name: "hogs", When: policy2.Conditions{CPU: 15000, For: 5 * policy2.Minute}, Do: policy2.Ladder{{Step: policy2.StepThrottle, To: 5000}}},
		{
			Name: "two each", Each: policy2.EachContainer, Keep: policy2.Keep{Order: policy2.Newest, Places: 2, Per: policy2.Per{By: policy2.ByLabel, Label: "team"}},
			Rest: policy2.Ladder{{Step: policy2.StepWarn}, {Step: policy2.StepStop, After: policy2.Day}},
		},
		{Name: "old", When: policy2.Conditions{Age: 3 * policy2.Day}, Do: policy2.Ladder{{Step: policy2.StepRemove}}},
	}

	names := []string{"web-1", "web-2", "web-3", "cache", "", "agent", "old-1", "db", "slow"}
	f := &rules.Facts{GUS: 1_000_000_000, WallUS: 1_796_000_000_000_000, IntervalUS: 10_000_000}
	for i, name := range names {
		identity := &policy2.Identity{ID: id(byte(i)), Name: name, Image: "acme/" + name, Labels: map[string]string{"team": "a"}}
		identity.Socket = policy2.Known(name == "agent")
		if name == "cache" {
			identity.Image = "bitnami/redis:7"
		}
		if name == "" {
			identity.Labels = nil
		}
		f.Containers = append(f.Containers, rules.Container{Identity: identity, InEngine: true, State: contract.StateRunning})
	}

	ready := func(i byte, v rules.Verdict) rules.Verdict {
		v.ID, v.Name = id(i), names[i]
		if v.Standing == "" {
			v.Standing = rules.StandingReady
		}
		if v.Step == "" {
			v.Step = policy2.StepKeep
		}
		return v
	}
	return View{
		Path: "host.yaml", Host: "builder", Source: contract.SourceProcfs, Policy: p, Facts: f,
		Plan: rules.Plan{
			PolicyHash: p.Hash(), Held: rules.HeldUnapproved, Own: 7, Living: 7,
			Verdicts: []rules.Verdict{
				ready(0, rules.Verdict{
					Rule: 1, Step: policy2.StepWarn, Reason: rules.ReasonHolds, Rank: 3, Cut: 2, Group: "a", DecidingKey: "age",
					Neighbour: &rules.Neighbour{ID: id(1), Name: "web-2", Rank: 2},
				}),
				ready(1, rules.Verdict{Rule: 1, Reason: contract.ReasonWithinQuota, Rank: 2, Cut: 2, Group: "a"}),
				ready(2, rules.Verdict{
					Rule: 1, Reason: contract.ReasonWithinQuota, Rank: 1, Cut: 2, Group: "a",
					Passing: []rules.Passing{{Rule: 0, Step: policy2.StepThrottle, Reason: rules.ReasonHolds}},
				}),
				ready(3, rules.Verdict{Rule: -1, Standing: contract.ReasonProtected}),
				ready(4, rules.Verdict{Rule: -1, Standing: contract.ReasonNotOwned}),
				ready(5, rules.Verdict{Rule: -1, Standing: contract.ReasonNotOwned}),
				ready(6, rules.Verdict{
					Rule: 2, Step: policy2.StepRemove, Reason: rules.ReasonHolds,
					Read: []rules.Reading{{Key: "age", Value: 5 * 86400, Known: true, Needs: 3 * 86400}},
				}),
				ready(7, rules.Verdict{Rule: 2, Reason: rules.ReasonNeeded, By: id(1)}),
				ready(8, rules.Verdict{Rule: -1, Reason: rules.ReasonNoRule, Next: &rules.Next{Step: policy2.StepRemove, GUS: 8_200_000_000, Rule: 2}}),
			},
		},
	}
}

func TestTable(t *testing.T) {
	var got bytes.Buffer
	if err := example().Table(&got); err != nil {
		t.Fatal(err)
	}

	path := filepath.Join("testdata", "table.txt")
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Error(diff)
	}
}

func TestDueCountsContainers(t *testing.T) {
	v := example()
	if got := v.Due(); got != 3 {
		t.Errorf("%d, want 3: one is warned, one throttled, one removed", got)
	}
	v.Plan.Verdicts = nil
	if got := v.Due(); got != 0 {
		t.Errorf("%d of nobody", got)
	}
}

// Every reason that a plan may have has words, and none shows what a stranger named his container with.
func TestEveryReasonHasWords(t *testing.T) {
	v := example()
	texts := v.texts()
	reasons := []string{
		rules.ReasonNoRule, rules.ReasonKeepRule, rules.ReasonHolds, rules.ReasonDoubt, rules.ReasonWaits, rules.ReasonWarnWaits,
		rules.ReasonFinished, rules.ReasonUnitSpared, rules.ReasonNeeded, rules.ReasonOwnGrew, rules.ReasonRmStop, rules.ReasonRmVolumes,
		rules.ReasonJustStarted, contract.ReasonCapped, contract.ReasonYoungFlood, contract.ReasonMemoryFloor, contract.ReasonElsewhere,
		contract.ReasonWithinQuota, contract.ReasonOverQuota,
	}
	standings := []string{
		contract.ReasonSuite, contract.ReasonNotInEngine, contract.ReasonNotOwned, contract.ReasonProtected, contract.ReasonLeaving,
		contract.ReasonStuck, contract.ReasonFutile, contract.ReasonPaused, contract.ReasonYoung,
	}

	var all []rules.Verdict
	for _, reason := range reasons {
		all = append(all, rules.Verdict{ID: id(0), Standing: rules.StandingReady, Reason: reason, Rule: 1, Doubt: []int{0}, By: "a\x1b[2J"})
	}
	for _, standing := range standings {
		all = append(all, rules.Verdict{ID: id(0), Standing: standing, Reason: standing, Rule: -1})
	}
	for _, verdict := range all {
		text := texts.Of(&verdict)
		if !strings.Contains(text, " ") && text != "protected" || strings.Contains(text, "_") && !strings.Contains(text, "young.memory_floor_kb") {
			t.Errorf("%s, %s: %q is no sentence", verdict.Standing, verdict.Reason, text)
		}
		if strings.Contains(text, "\x1b") {
			t.Errorf("%s: %q has a control character", verdict.Reason, text)
		}
	}
}

type full struct{ room int }

func (f *full) Write(p []byte) (int, error) {
	if len(p) > f.room {
		return 0, errors.New("disk full")
	}
	f.room -= len(p)
	return len(p), nil
}

// A table that could not be written is an error, wherever it ended.
func TestTableSaysThatItWasNotWritten(t *testing.T) {
	var whole bytes.Buffer
	if err := example().Table(&whole); err != nil {
		t.Fatal(err)
	}
	for room := 0; room < whole.Len(); room += 40 {
		if err := example().Table(&full{room}); err == nil {
			t.Errorf("no error with room for %d of %d bytes", room, whole.Len())
		}
	}
}
