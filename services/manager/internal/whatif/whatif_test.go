package whatif_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/journal/journaltest"
	"gestor.local/manager/internal/rules/rulestest"
	"gestor.local/manager/internal/whatif"
)

// start is T of a simulated host on the wall.
var start = time.Unix(1_796_126_400, 0).UTC()

// record lets a host with so many containers, made one after the other, live under the policy for a while, and returns its journal.
func record(t *testing.T, p policy2.Policy, containers int, until time.Duration) string {
	t.Helper()
	w := rulestest.New(p, 0)
	for i := range containers {
		quiet := time.Duration(5+3*i) * time.Minute
		w.Add(rulestest.Container{
			Name: fmt.Sprintf("c%d", i), Image: "mcp/x", Created: time.Duration(i) * time.Minute, Rm: i%4 == 3,
			Labels: map[string]string{contract.LabelManaged: "true", "team": fmt.Sprint(i % 2)},
			CPU:    rulestest.Between[int64](0, quiet, 400, 0),
		})
	}

	dir := t.TempDir()
	j, _, err := journal.Open(dir, journal.Options{
		Version: 2, SegmentBytes: 12_000, Now: func() time.Time { return start.Add(w.Now()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	recorder := journaltest.Recorder{Journal: j}
	w.OnTick = func(tick *rulestest.Tick) {
		if err := recorder.Tick(tick); err != nil {
			t.Fatal(err)
		}
	}
	w.Run(until)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// idle warns and removes whoever has been idle for so long.
func idle(warn, remove policy2.Duration) policy2.Policy {
	p := policy2.Default()
	p.Surprise = 100
	p.Rules = []policy2.Rule{
		{Name: "hogs", Match: []policy2.Selector{{Name: []string{"c1*"}}}, When: policy2.Conditions{CPU: 3_000, For: policy2.Minute}, Do: policy2.Ladder{{Step: policy2.StepThrottle}}},
		{Name: "idle", When: policy2.Conditions{Idle: warn}, Do: policy2.Ladder{
			{Step: policy2.StepWarn}, {Step: policy2.StepStop, After: policy2.Minute}, {Step: policy2.StepRemove, After: remove},
		}},
	}
	return p
}

func ask(t *testing.T, dir string, p policy2.Policy, from time.Duration) whatif.Report {
	t.Helper()
	o := whatif.Options{Policy: p}
	if from > 0 {
		o.From = start.Add(from)
	}
	r, err := whatif.Run(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestASofterAndAStricterPolicy: each of two policies, asked of the other's journal, takes the steps that it takes on its own.
func TestASofterAndAStricterPolicy(t *testing.T) {
	strict, soft := idle(2*policy2.Minute, 4*policy2.Minute), idle(6*policy2.Minute, 8*policy2.Minute)
	of := map[string]string{"strict": record(t, strict, 6, time.Hour), "soft": record(t, soft, 6, time.Hour)}
	own := ask(t, of["strict"], policy2.Default(), 0) // every recorded step is a difference

	r := ask(t, of["soft"], strict, 0)
	for _, c := range r.Containers {
		i := slices.IndexFunc(own.Containers, func(o whatif.Container) bool { return o.ID == c.ID })
		if i < 0 || len(c.Policy) == 0 {
			t.Fatalf("%+v", c)
		}
		var want, got []string
		for _, s := range own.Containers[i].Recorded {
			want = append(want, fmt.Sprint(s.Step, " on ", s.Tick))
		}
		for _, s := range c.Policy {
			got = append(got, fmt.Sprint(s.Step, " on ", s.Tick))
		}
		if !slices.Equal(want, got) {
			t.Errorf("%s: whatif %v, by itself %v", c.Name, got, want)
		}
		if first := c.Steps[slices.IndexFunc(c.Steps, func(p whatif.Pair) bool { return p.Exact })]; *first.DifferenceSeconds != -240 {
			t.Errorf("%s: %d s", c.Name, *first.DifferenceSeconds)
		}
	}
	if r.Different != 6 || r.KeptLonger != 0 || r.SavedSeconds != 6*240 {
		t.Errorf("%d different, %d kept longer, %d s saved", r.Different, r.KeptLonger, r.SavedSeconds)
	}

	// The other way round each is stopped before the softer policy would have warned: kept longer, and nothing is known after that.
	r = ask(t, of["strict"], soft, 0)
	if r.Different != 6 || r.KeptLonger != 6 || r.SavedSeconds != 0 {
		t.Errorf("%d different, %d kept longer, %d s saved", r.Different, r.KeptLonger, r.SavedSeconds)
	}
}

// TestDamagedJournals: whatever line is missing or damaged, the policy that was in force has done what it did, and what is missing is told.
func TestDamagedJournals(t *testing.T) {
	p := idle(2*policy2.Minute, 3*policy2.Minute)
	dir := record(t, p, 8, 50*time.Minute)
	files, err := filepath.Glob(filepath.Join(dir, "*.ndjson*"))
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	plain := slices.DeleteFunc(slices.Clone(files), func(name string) bool { return strings.HasSuffix(name, ".gz") })

	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 60 {
		copied := t.TempDir()
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 { // a whole file
			_ = os.Remove(filepath.Join(copied, filepath.Base(files[1+rng.IntN(len(files)-2)])))
		} else {
			damage(t, filepath.Join(copied, filepath.Base(plain[rng.IntN(len(plain))])), rng)
		}

		r, err := whatif.Run(copied, whatif.Options{Policy: p})
		if errors.Is(err, whatif.ErrNothing) && r.Ticks == 0 {
			continue
		}
		if err != nil || r.Different > 0 || r.KeptLonger > 0 {
			t.Fatalf("%d: %v %+v", i, err, r)
		}
		if i%3 == 0 && r.NotOnRecordSeconds == 0 {
			t.Errorf("a file is missing, and nothing is said: %+v", r)
		}
	}
}

// damage spoils some lines of a file.
func damage(t *testing.T, name string, rng *rand.Rand) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	for range 1 + rng.IntN(3) {
		if at := rng.IntN(len(lines)); len(lines[at]) > 20 {
			lines[at][10+rng.IntN(len(lines[at])-12)] ^= 1
		}
	}
	if err := os.WriteFile(name, bytes.Join(lines, nil), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestALabelThatWasNotJournalled: a rule that reads one is in doubt, of which nothing comes, and one that asks for its key is not.
func TestALabelThatWasNotJournalled(t *testing.T) {
	dir := record(t, idle(2*policy2.Minute, 3*policy2.Minute), 3, 20*time.Minute)
	p := policy2.Default()
	p.Surprise = 100
	p.Rules = []policy2.Rule{{
		Name: "team", Match: []policy2.Selector{{Label: &policy2.Label{Key: "team", Value: "1"}}},
		When: policy2.Conditions{Age: policy2.Minute}, Do: policy2.Ladder{{Step: policy2.StepRemove}},
	}}
	r := ask(t, dir, p, 0)
	if len(r.InDoubt) != 1 || r.InDoubt[0].Rule != "team" || r.InDoubt[0].Most != 3 {
		t.Errorf("%+v", r.InDoubt)
	}
	for _, c := range r.Containers {
		if len(c.Policy) > 0 {
			t.Errorf("%+v", c)
		}
	}

	p.Rules[0].Match[0].Label.Any, p.Rules[0].Match[0].Label.Value = true, ""
	r = ask(t, dir, p, 0)
	removed := 0
	for _, c := range r.Containers {
		removed += len(c.Policy)
	}
	if removed != 3 || len(r.InDoubt) != 0 {
		t.Errorf("%d removed, %+v", removed, r.InDoubt)
	}
}

// TestSurpriseAndBudgetHold: the policy's own hold its plans, and the report says so.
func TestSurpriseAndBudgetHold(t *testing.T) {
	dir := record(t, policy2.Default(), 9, 40*time.Minute)
	p := policy2.Default()
	p.Surprise, p.Budget = 1, policy2.Budget([]policy2.Rate{{N: 1}, {N: 2, Span: 10 * policy2.Minute}, {N: 2, Span: policy2.Hour}})
	p.Rules = []policy2.Rule{{Name: "old", When: policy2.Conditions{Age: 20 * policy2.Minute}, Do: policy2.Ladder{{Step: policy2.StepRemove}}}}
	r := ask(t, dir, p, 0)
	if r.Held[contract.HeldSurprise] == 0 || r.CappedTicks == 0 || len(r.Sums) != 1 || r.Sums[0].OnlyPolicy != 2 {
		t.Errorf("%+v %d %+v", r.Held, r.CappedTicks, r.Sums)
	}
}

// TestFromTheMiddle: what is known of the containers when it begins is taken over, and files before that are not read.
func TestFromTheMiddle(t *testing.T) {
	p := idle(2*policy2.Minute, 3*policy2.Minute)
	dir := record(t, p, 8, 50*time.Minute)
	for from := time.Minute; from < 50*time.Minute; from += 3*time.Minute + 10*time.Second {
		r := ask(t, dir, p, from)
		if r.Different > 0 || r.From.Before(start.Add(from)) || r.From.Sub(start.Add(from)) > 10*time.Second {
			t.Fatalf("from %s: %+v", from, r)
		}
	}

	files, err := filepath.Glob(filepath.Join(dir, "*.ndjson*"))
	if err != nil || os.WriteFile(files[0], []byte("no journal"), 0o600) != nil {
		t.Fatal(err)
	}
	if r := ask(t, dir, p, 40*time.Minute); r.BadLines != 0 {
		t.Errorf("%d damaged lines of a file that is not asked for", r.BadLines)
	}
}
