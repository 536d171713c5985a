package journal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/contract/policy2"

	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/journal/journaltest"
	"gestor.local/manager/internal/journal/line"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/rules/rulestest"
	"gestor.local/wal/disk"
	"gestor.local/wal/disk/disktest"
)

// TestAJournalBringsItsPlansBack over several segments, sealed or not.
func TestAJournalBringsItsPlansBack(t *testing.T) {
	files := disktest.NewMem()
	ticks := recorded(t, files, options(files), 90)
	r := readAll(t, files)
	if n := r.sameAs(t, ticks); n != 90 || r.heads < 3 || r.steps < 5 || len(r.made) > 0 || r.lost > 0 || r.stats.BadLines > 0 {
		t.Errorf("%d plans, %d heads, %d steps, %d gaps, %+v, another memory: %v", n, r.heads, r.steps, r.lost, r.stats, r.made)
	}
	if diff := cmp.Diff(text(t, ticks[89].After), text(t, r.memory)); diff != "" {
		t.Error("the memory at the end:", diff)
	}

	j, recovered := opened(t, "j", options(files))
	if diff := cmp.Diff(text(t, ticks[89].After), text(t, recovered.Memory)); diff != "" {
		t.Error("the memory after a start:", diff)
	}
	must(t, j.CleanUp())
	sealed := 0
	names, err := files.List("j")
	must(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, ".gz") {
			sealed++
		}
	}
	if again := readAll(t, files); sealed != r.heads-1 || again.sameAs(t, ticks) != 90 || again.stats.BadLines > 0 {
		t.Errorf("%d of %d segments are sealed: %+v", sealed, r.heads, again.stats)
	}
}

// TestASegmentHasSoManyTicks at most, also where the journal was closed and opened within it: whoever asks for a tick goes over those
// before it.
func TestASegmentHasSoManyTicks(t *testing.T) {
	files := disktest.NewMem()
	o := journal.Options{FS: files, Version: journal.Version}
	j, _ := opened(t, "j", o)
	load := journaltest.NewLoad(1)
	program, memory := rules.New(load.Policy), rules.Memory{}

	const ticks, most = 4000, 1440
	for n := range ticks {
		if n == most/2 {
			must(t, j.Close())
			j, _ = opened(t, "j", o)
		}

		f := load.Next()
		plan := rules.Decide(program, memory, f)
		_, err := j.Decide(journal.Decision{Program: program, Memory: memory, Facts: f, Plan: &plan})
		must(t, err)
		memory = rules.Remember(program, memory, f, plan, nil)
	}
	must(t, j.Close())

	var segments []int
	_, err := journal.ReadHistoryOn(files, "j", func(e journal.Entry, _ *journal.History) error {
		switch {
		case e.Head != nil:
			segments = append(segments, 0)
		case e.Facts != nil:
			segments[len(segments)-1]++
		}
		return nil
	})
	must(t, err)
	if diff := cmp.Diff([]int{most, most, ticks - 2*most}, segments[len(segments)-3:]); diff != "" {
		t.Errorf("ticks of each segment: %v %s", segments, diff)
	}
}

// TestASecondLook: both plans of the tick come out again, and the memory is that after the second.
func TestASecondLook(t *testing.T) {
	files := disktest.NewMem()
	o := options(files)
	j, _ := opened(t, "j", o)
	w := newWorld(rand.New(rand.NewPCG(7, 7)))
	var before rules.Memory
	plans, looks, after := []string{}, []int{}, ""
	w.OnTick = func(tick *rulestest.Tick) {
		decide := func(f *rules.Facts, look int) {
			plan := rules.Decide(tick.Program, before, f)
			_, err := j.Decide(journal.Decision{Program: tick.Program, Memory: before, Facts: f, Plan: &plan, Look: look})
			must(t, err)
			plans, looks = append(plans, text(t, plan)), append(looks, look&2)
			if look != 1 {
				m := rules.Remember(tick.Program, before, f, plan, nil)
				after = text(t, m)
				before = m
			}
		}
		if tick.Facts.Tick%3 > 0 || len(tick.Facts.Containers) == 0 {
			decide(&tick.Facts, 0)
			return
		}
		decide(&tick.Facts, 1)
		gone := tick.Facts
		gone.Containers = slices.Clone(gone.Containers[1:]) // it went away between the two
		decide(&gone, 2)
	}
	w.Run(10 * time.Minute)

	var got []string
	_, err := journal.ReadHistoryOn(files, "j", func(e journal.Entry, h *journal.History) error {
		if e.Verdict != nil {
			got = append(got, text(t, h.Plan()))
			v, err := journal.VerdictOf(e)
			if err != nil || v.Hash != line.PlanHash(h.Plan()) || v.Look != looks[len(got)-1] {
				t.Errorf("tick %d: %+v, %v", *e.Verdict, v, err)
			}
		}
		return nil
	})
	must(t, err)
	if diff := cmp.Diff(plans, got); diff != "" {
		t.Error(diff)
	}
	if r := readAll(t, files); text(t, r.memory) != after || len(r.made) > 0 || r.heads < 2 {
		t.Errorf("%d heads, another memory at the end, or at a head: %v\n%s\n%s", r.heads, r.made, text(t, r.memory), after)
	}
}

// TestVersion1ThenVersion2: lines of both in one folder; what version 1 left open is open still.
func TestVersion1ThenVersion2(t *testing.T) {
	dir := t.TempDir()
	journaltest.Write(t, dir, 12, journal.Options{SegmentBytes: 20_000})
	old, _ := opened(t, dir, journal.Options{})
	_, err := old.Intent(journal.Intent{ActionID: "open", Subject: contract.Subject{Container: "c"}, Action: contract.ActionRemove, Tick: 12})
	must(t, err)
	last := old.Seq()
	must(t, old.Close())

	o := options(nil)
	j, r := opened(t, dir, o)
	if r.LastTick != 12 || len(r.Open) != 1 || r.Memory != nil || r.Facts != nil || r.BadLines > 0 || r.TornBytes > 0 {
		t.Fatalf("%+v", r)
	}
	ticks := record(t, newWorld(rand.New(rand.NewPCG(7, 7))), j, 40)
	must(t, j.Close())

	j, r = opened(t, dir, o)
	if len(r.Open) != 1 || r.Open[0].ActionID != "open" || text(t, r.Memory) != text(t, ticks[39].After) {
		t.Errorf("after a start %v is open, and the memory is\n%s\n%s", r.Open, text(t, r.Memory), text(t, ticks[39].After))
	}
	must(t, j.CleanUp())

	versions, plans, seq := map[int]int{}, 0, uint64(0)
	stats, err := journal.ReadHistory(dir, func(e journal.Entry, h *journal.History) error {
		versions[e.V]++
		if e.Seq <= seq && !e.Carried {
			t.Errorf("line %d follows line %d", e.Seq, seq)
		}
		seq = e.Seq
		if e.V == 2 && e.Seq <= last {
			t.Errorf("line %d of version 2 has a number of version 1's", e.Seq)
		}
		if e.Verdict != nil {
			plans++
		}
		return nil
	})
	if err != nil || stats.BadLines > 0 || versions[1] < 15 || plans != 40 {
		t.Errorf("%v, %d plans, %+v, %v", versions, plans, stats, err)
	}

	// A journal of version 1 does not go on behind it, and takes nothing for damage.
	var later *journal.VersionError
	must(t, j.Close())
	if _, _, err := journal.Open(dir, journal.Options{}); !errors.As(err, &later) {
		t.Errorf("opened as version 1: %v", err)
	}
}

// TestOneJournalForBothVersions: a policy of version 1 that comes into force for a while writes its ticks between the facts. Every plan
// of version 2 comes out again, each tick of version 1 has its policy in its own file, and nothing of what is open is lost.
func TestOneJournalForBothVersions(t *testing.T) {
	files := disktest.NewMem()
	o := options(files)
	o.SegmentBytes = 40_000
	j, _ := opened(t, "j", o)
	w := newWorld(rand.New(rand.NewPCG(7, 7)))
	ticks := record(t, w, j, 30)

	v1 := contract.DefaultPolicy()
	for n := range uint64(60) {
		tick := journal.Tick{Context: contract.Context{Tick: 1000 + n}}
		for i := range 12 {
			id := strings.Repeat(string(rune('a'+i%6)), 63) + string(rune('0'+i/6))
			tick.Inventory.Entries = append(tick.Inventory.Entries, contract.Entry{ID: id, Name: "web", Labels: map[string]string{"stranger": "secret"}})
		}
		_, err := j.Tick(v1, tick, rules.DecideV1(rules.Compile(v1), tick.Population, tick.Inventory, tick.Context))
		must(t, err)
	}
	_, err := j.Intent(journal.Intent{ActionID: "open", Subject: contract.Subject{Container: "c"}, Action: contract.ActionRemove, Tick: 1060})
	must(t, err)

	// The policy of version 2 comes back, and with it what its loop remembers.
	ticks = append(ticks, record(t, w, j, 30)...)

	r := readAll(t, files)
	if n := r.sameAs(t, ticks); n != 60 || len(r.made) > 0 || r.stats.BadLines > 0 {
		t.Errorf("%d plans of version 2, %d gaps, %+v, another memory: %v", n, r.lost, r.stats, r.made)
	}
	if diff := cmp.Diff(text(t, ticks[59].After), text(t, r.memory)); diff != "" {
		t.Error("the memory at the end:", diff)
	}
	must(t, j.Close())
	_, recovered := opened(t, "j", o)
	if recovered.LastTick != ticks[59].Facts.Tick || len(recovered.Open) == 0 || recovered.Open[0].ActionID != "open" {
		t.Errorf("after a start: tick %d, open %+v", recovered.LastTick, recovered.Open)
	}
	if diff := cmp.Diff(text(t, r.memory), text(t, recovered.Memory)); diff != "" {
		t.Error("the memory after a start:", diff)
	}

	// Each file is read alone: the policy stands before the first tick that is under it.
	had, ofVersion1, segments := "", 0, 0
	for _, e := range r.entries {
		switch {
		case e.Head != nil:
			had, segments = "", segments+1
		case e.V == 1 && e.Policy != nil:
			had = e.Policy.Hash
		case e.Tick != nil:
			if ofVersion1++; had != e.Tick.PolicyHash {
				t.Errorf("line %d: tick under policy %s, the file has %q", e.Seq, e.Tick.PolicyHash, had)
			}
			if text := text(t, e.Tick); strings.Contains(text, "secret") {
				t.Errorf("line %d has a label that the policy does not read", e.Seq)
			}
		}
	}
	if ofVersion1 != 60 || segments < 4 {
		t.Errorf("%d ticks of version 1 in %d files", ofVersion1, segments)
	}
}

// TestAPolicyOfVersion1: its plans come out again of lines of version 2, and are those that version 1 makes.
func TestAPolicyOfVersion1(t *testing.T) {
	files := disktest.NewMem()
	j, _ := opened(t, "j", options(files))
	p := contract.DefaultPolicy()
	program := rules.Compile(p)
	var want, got []string
	for n := range uint64(40) {
		in := journaltest.Tick(n + 1)
		in.Context.RemovedLastMinute = int(n % 7)
		want = append(want, text(t, rules.DecideV1(rules.Compile(p), in.Population, in.Inventory, in.Context)))

		f := rules.FactsOfV1(in.Population, in.Inventory, in.Context)
		memory := rules.MemoryOfV1(in.Context)
		plan := rules.Decide(program, memory, &f)
		_, err := j.Decide(journal.Decision{Program: program, Version1: &p, Memory: memory, Facts: &f, Plan: &plan})
		must(t, err)
	}

	heads := 0
	_, err := journal.ReadHistoryOn(files, "j", func(e journal.Entry, h *journal.History) error {
		if e.Head != nil {
			heads++
		}
		if e.Verdict == nil {
			return nil
		}
		v, err := journal.VerdictOf(e)
		if err != nil || v.Hash != line.PlanHash(h.Plan()) || v.PolicyHash != p.Hash() || h.Made() != nil {
			t.Errorf("%+v, %v", v, err)
		}
		got = append(got, text(t, rules.AsV1(h.Program(), h.Facts(), *h.Plan())))
		return nil
	})
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" || heads < 2 {
		t.Errorf("%d heads, %s", heads, diff)
	}
}

// TestALaterVersionIsRefused by who knows version 2.
func TestALaterVersionIsRefused(t *testing.T) {
	files := disktest.NewMem()
	must(t, disk.WriteFile(files, "j/00000000000000000001.ndjson", []byte(`{"v":3,"seq":1,"facts":1}`+"\n")))
	var later *journal.VersionError
	_, _, err := journal.Open("j", options(files))
	if !errors.As(err, &later) || later.Version != 3 || !strings.Contains(err.Error(), "up to 2") {
		t.Errorf("%v", err)
	}
}

// TestJqReadsIt: the lines are plain JSON, and each sum of them can be checked.
func TestJqReadsIt(t *testing.T) {
	jq, err := exec.LookPath("jq")
	if err != nil {
		t.Skip("jq is not installed")
	}
	files := disktest.NewMem()
	recorded(t, files, options(files), 60)

	all := contents(t, files)
	lines := bytes.Split(bytes.TrimSuffix(all, []byte("\n")), []byte("\n"))
	for _, text := range lines {
		if !json.Valid(text) || !line.Sealed(text) {
			t.Fatalf("%s", text)
		}
	}
	for filter, want := range map[string]int{
		`select(.v == 2)`:                               len(lines),
		`select(.crc | test("^[0-9a-f]{8}$"))`:          len(lines),
		`select(.facts and (.head | not)) | .facts`:     60,
		`select(.verdict) | .hash`:                      60,
		`select(.head) | .head.policy.policy2.rules[0]`: bytes.Count(all, []byte(`"head":`)),
	} {
		c := exec.Command(jq, "-c", filter)
		c.Stdin = bytes.NewReader(all)
		out, err := c.Output()
		if n := bytes.Count(out, []byte("\n")); err != nil || n != want || n == 0 {
			t.Errorf("jq %s: %d lines, not %d: %v", filter, n, want, err)
		}
	}
	if bytes.Contains(all, []byte("secret")) {
		t.Error("the value of a label that nobody named is in the journal")
	}
}

// contents is the text of all segments that are not sealed, in order.
func contents(t *testing.T, files disk.FS) (all []byte) {
	t.Helper()
	names, err := files.List("j")
	must(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, ".ndjson") && !strings.HasPrefix(name, "torn") {
			text, err := disk.ReadFile(files, path.Join("j", name))
			must(t, err)
			all = append(all, text...)
		}
	}
	return all
}

// TestAPolicyIsWrittenWhenItChanges, and the labels that it names with it.
func TestAPolicyIsWrittenWhenItChanges(t *testing.T) {
	files := disktest.NewMem()
	o := options(files)
	o.SegmentBytes = 1 << 20
	j, _ := opened(t, "j", o)
	p := hostPolicy()
	memory := rules.Memory{}
	tick, plans := uint64(0), []string{}
	decide := func(p policy2.Policy) {
		tick++
		f := rules.Facts{Tick: tick, BootUS: tick * 10_000_000, Containers: []rules.Container{{Identity: &policy2.Identity{
			ID: "c", Labels: map[string]string{"branch": "main"},
		}, InEngine: true, State: contract.StateRunning}}}
		program := rules.New(p)
		plan := rules.Decide(program, memory, &f)
		_, err := j.Decide(journal.Decision{Program: program, Memory: memory, Facts: &f, Plan: &plan})
		must(t, err)
		memory = rules.Remember(program, memory, &f, plan, nil)
		plans = append(plans, text(t, plan))
	}

	decide(p)
	decide(p)
	p.Mode = contract.ModeObserve // not in the hash
	decide(p)
	p.Own = append(slices.Clone(p.Own), policy2.Selector{Label: &policy2.Label{Key: "branch", Any: true}})
	decide(p)
	decide(p)
	must(t, j.Approve(json.RawMessage(`{"v":1}`)))
	must(t, j.Approve(json.RawMessage(`{"v":1}`)))
	must(t, j.Approve(nil))

	var got, lines []string
	_, err := journal.ReadHistoryOn(files, "j", func(e journal.Entry, h *journal.History) error {
		switch {
		case e.Head != nil:
			lines = append(lines, "head")
		case e.Policy != nil:
			lines = append(lines, "policy")
		case e.Facts != nil:
			lines = append(lines, "facts "+h.Facts().Containers[0].Labels["branch"]+strings.Join(h.Withheld("c"), ""))
		case e.Verdict != nil:
			got = append(got, text(t, h.Plan()))
		case e.Approve != nil:
			lines = append(lines, "approve "+string(e.Approve.Document))
		}
		return nil
	})
	must(t, err)
	want := []string{
		"head", "policy", "facts branch", "facts branch", "policy", "facts branch", "head", "policy", "facts main", "facts main",
		`approve {"v":1}`, "approve ",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(plans, got); diff != "" {
		t.Error(diff)
	}
}

// TestFilesThatWereDeleted while it runs: the new segment's head has the memory of now, with what has happened on this tick.
func TestFilesThatWereDeleted(t *testing.T) {
	files := disktest.NewMem()
	o := options(files)
	o.SegmentBytes = 1 << 20
	j, _ := opened(t, "j", o)
	w := newWorld(rand.New(rand.NewPCG(7, 7)))
	ticks := record(t, w, j, 60)
	names, err := files.List("j")
	must(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, ".ndjson") {
			must(t, files.Remove(path.Join("j", name)))
		}
	}
	if err := j.Check(); !errors.Is(err, journal.ErrMoved) {
		t.Fatal(err)
	}
	if r := readAll(t, files); text(t, r.memory) != text(t, ticks[59].After) {
		t.Errorf("another memory:\n%s\n%s", text(t, r.memory), text(t, ticks[59].After))
	}
	must(t, j.Check())

	ticks = record(t, w, j, 20)
	if r := readAll(t, files); r.sameAs(t, ticks) != 20 || text(t, r.memory) != text(t, ticks[19].After) {
		t.Errorf("%d plans", len(r.plans))
	}
}

// TestNamesAloneAreTheSame: who reads verdicts without facts knows the same names, numbers and times.
func TestNamesAloneAreTheSame(t *testing.T) {
	dir := t.TempDir()
	o := options(nil)
	j, _ := opened(t, dir, o)
	w := newWorld(rand.New(rand.NewPCG(7, 7)))
	w.At(3*time.Minute, func() { w.Rename("c1", "renamed") })
	record(t, w, j, 90)
	must(t, j.Close())

	described := func(read func(visit func(journal.Entry, *journal.History) error) (journal.Stats, error)) (out []string) {
		stats, err := read(func(e journal.Entry, h *journal.History) error {
			if e.Verdict == nil {
				return nil
			}
			line := []string{text(t, h.Tick()), text(t, h.WallUS()), text(t, h.Whole())}
			for _, c := range h.Facts().Containers {
				line = append(line, c.ID+" "+c.Name+" "+c.Image+text(t, h.Number(c.ID))+text(t, h.Withheld(c.ID)))
			}
			out = append(out, strings.Join(line, ", "))
			return nil
		})
		if err != nil || stats.BadLines > 0 {
			t.Fatal(stats, err)
		}
		return out
	}

	want := described(func(visit func(journal.Entry, *journal.History) error) (journal.Stats, error) {
		return journal.ReadHistory(dir, visit)
	})
	got := described(func(visit func(journal.Entry, *journal.History) error) (journal.Stats, error) {
		return journal.ReadVerdicts(dir, nil, visit)
	})
	if diff := cmp.Diff(want, got); diff != "" || len(got) != 90 || !strings.Contains(strings.Join(got, "\n"), "renamed") {
		t.Errorf("%d lines: %s", len(got), diff)
	}

	// One line alone brings back what all lines up to it come to.
	var last uint64
	var plan string
	_, err := journal.ReadHistory(dir, func(e journal.Entry, h *journal.History) error {
		if e.Verdict != nil {
			last, plan = e.Seq, text(t, h.Plan())
		}
		return nil
	})
	must(t, err)
	whole, err := journal.HistoryTo(dir, last)
	must(t, err)
	names, err := journal.NamesTo(dir, last)
	must(t, err)
	if text(t, whole.Plan()) != plan || whole.WallUS() != names.WallUS() || names.Tick() != 90 {
		t.Errorf("tick %d and %d, %d and %d", whole.Tick(), names.Tick(), whole.WallUS(), names.WallUS())
	}
}
