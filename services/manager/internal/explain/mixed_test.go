package explain

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/journal/journaltest"
	"gestor.local/manager/internal/rules"
)

// TestExplainOfAMixedJournal: lines of version 1 stand behind those of version 2, in the same file, and before them in another.
func TestExplainOfAMixedJournal(t *testing.T) {
	dir := t.TempDir()
	journaltest.Write(t, dir, 5, journal.Options{})
	record(t, dir, hostWorld(t), 20*time.Minute)
	journaltest.AppendVersion1(t, dir, 4)
	j := at(dir)

	last, err := ofVersion1(j.Last())
	if err != nil || last.Tick != 4 || len(last.Containers) != 5 || len(last.Containers[4].Actions) != 1 {
		t.Fatalf("the last tick: %v %+v", err, last)
	}
	for number, ruled := range map[uint64]bool{480: true, 5: true, 3: false} { // the newest tick with that number
		report, err := j.Tick(number)
		if _, ok := report.(RulesReport); err != nil || ok != ruled {
			t.Errorf("tick %d: %T, %v", number, report, err)
		}
	}

	// One that only version 1 knows is shown as ever.
	old, err := j.Container("l4")
	if err != nil || old.Explanation != nil || len(old.Rulings) > 0 || len(old.Spans) != 1 || old.Spans[0].Ticks != 9 || len(old.Actions) != 9 {
		t.Errorf("%v %+v", err, old)
	}
	if text := table(t, old); strings.Contains(text, "rule") || !strings.Contains(text, "1-4") {
		t.Error(text)
	}

	// One of version 2 is explained as it was on its last tick, and is gone since.
	hog, err := j.Container("hog")
	if err != nil || hog.Explanation == nil || hog.Explanation.Tick != 480 || hog.Newest.Tick != 4 {
		t.Fatalf("%v %+v", err, hog)
	}
	text := table(t, hog)
	for _, want := range []string{
		"\nnot there any more on the newest tick, tick 4 (", "The journal reaches back to tick 1 (2026-01-02T03:04:00Z)", "throttle to 50% by step 1 of rule",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestExplainOfAContainerOfBothVersions: its history is in two parts, and its newest tick says how it is explained.
func TestExplainOfAContainerOfBothVersions(t *testing.T) {
	dir := t.TempDir()
	record(t, dir, hostWorld(t), 20*time.Minute)
	hog, err := at(dir).Container("hog")
	if err != nil {
		t.Fatal(err)
	}

	journaltest.AppendVersion1(t, dir, 4)
	edit(t, dir, func(text []byte) []byte { // lines of version 1 have no checksum
		text = bytes.ReplaceAll(text, []byte(journaltest.ID(4)), []byte(hog.ID))
		return bytes.ReplaceAll(text, []byte(`"name":"l4"`), []byte(`"name":"hog"`))
	})

	both, err := at(dir).Container("hog")
	if err != nil || both.Explanation != nil || len(both.Spans) != 1 || len(both.Rulings) == 0 || len(both.Actions) != 4+len(hog.Actions) {
		t.Fatalf("%v %+v", err, both)
	}
	text := table(t, both)
	for _, want := range []string{"under policies of version 1:\nTICKS", "under policies of version 2:\nTICKS", "REMOVE", "THROTTLE", "removed by Gestor at"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// edit changes the newest file of a journal.
func edit(t *testing.T, dir string, change func(text []byte) []byte) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "0*.ndjson"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	path := files[len(files)-1]
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestExplainOfADamagedJournal: what depends on the damaged line is said not to be known, all else is explained.
func TestExplainOfADamagedJournal(t *testing.T) {
	dir := t.TempDir()
	record(t, dir, hostWorld(t), 20*time.Minute)
	whole, err := at(dir).Container("hog")
	if err != nil {
		t.Fatal(err)
	}

	edit(t, dir, func(text []byte) []byte {
		return bytes.Replace(text, []byte(`"facts":478,`), []byte(`"facts":999,`), 1)
	})
	for number, found := range map[uint64]bool{470: true, 477: true, 478: false, 479: false, 480: false} {
		_, err := at(dir).Tick(number)
		if found != (err == nil) || !found && (!errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "; next: ")) {
			t.Errorf("tick %d: %v", number, err)
		}
	}

	h, err := at(dir).Container("hog")
	if err != nil || h.Explanation == nil || h.Explanation.Tick != 477 || len(h.Actions) != len(whole.Actions) || len(h.Rulings) != len(whole.Rulings) {
		t.Errorf("%v %+v", err, h)
	}
}

// TestExplainOfATornJournal: a write that is under way, or was cut short, is no part of it yet.
func TestExplainOfATornJournal(t *testing.T) {
	dir := t.TempDir()
	record(t, dir, hostWorld(t), 20*time.Minute)
	edit(t, dir, func(text []byte) []byte {
		return append(text, `{"v":2,"seq":99999,"since":99998,"facts":481,"rows":[{"n":`...)
	})

	report, err := at(dir).Last()
	if err != nil || report.(RulesReport).Tick != 480 {
		t.Errorf("%v %+v", err, report)
	}
	if h, err := at(dir).Container("hog"); err != nil || h.Explanation.Tick != 480 || h.Newest.Tick != 480 {
		t.Errorf("%v %+v", err, h)
	}

	// The facts of a tick without their verdict are enough.
	edit(t, dir, func(text []byte) []byte { return text[:bytes.LastIndex(text, []byte(`{"v":2,"seq":`))] })
	edit(t, dir, func(text []byte) []byte { return text[:bytes.LastIndex(text, []byte(`{"v":2,"seq":`))] })
	if report, err := at(dir).Last(); err != nil || report.(RulesReport).Tick != 480 {
		t.Errorf("%v %+v", err, report)
	}
}

// TestExplainFindsAContainerOfVersion2 by its name, a part of that, or digits of its id.
func TestExplainFindsAContainerOfVersion2(t *testing.T) {
	dir := t.TempDir()
	record(t, dir, hostWorld(t), 5*time.Minute)
	hog, err := at(dir).Container("hog")
	if err != nil {
		t.Fatal(err)
	}

	for who, want := range map[string]string{hog.ID: "hog", hog.ID[:12]: "hog", hog.ID[:4]: "hog", "ho": "hog", "scan": "mcp-scan", "job-2": "job-2"} {
		h, err := at(dir).Container(who)
		if err != nil || h.Name != want || h.Explanation == nil || len(h.Rulings) == 0 || h.ByPartOfName != (who == "ho" || who == "scan") {
			t.Errorf("%q: %v %q %+v", who, err, h.Name, h.Explanation)
		}
	}
	if _, err := at(dir).Container("job"); !errors.Is(err, ErrAmbiguous) || !strings.Contains(err.Error(), "job-1 (") || !strings.Contains(err.Error(), "last on tick 390") {
		t.Error(err)
	}
	for _, missing := range []func(Journal) error{findContainerErr("nobody"), findTickErr(391)} {
		err := missing(at(dir))
		if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "which reaches from tick 1 (2026-12-01T11:00:10Z) to tick 390 (2026-12-01T12:05:00Z)") {
			t.Error(err)
		}
	}
}

// TestExplainOfFactsUnderVersion1: a policy of version 1 may be journalled as facts too; its rules are then those that it compiles to.
func TestExplainOfFactsUnderVersion1(t *testing.T) {
	dir := t.TempDir()
	j, _, err := journal.Open(dir, journal.Options{Version: journal.Version})
	if err != nil {
		t.Fatal(err)
	}
	p := contract.DefaultPolicy()
	program := rules.Compile(p)
	for n := range uint64(5) {
		in := journaltest.Tick(n + 1)
		f, memory := rules.FactsOfV1(in.Population, in.Inventory, in.Context), rules.MemoryOfV1(in.Context)
		plan := rules.Decide(program, memory, &f)
		if _, err := j.Decide(journal.Decision{Program: program, Version1: &p, Memory: memory, Facts: &f, Plan: &plan}); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}

	h, err := at(dir).Container("l4")
	if err != nil || h.Explanation == nil || h.Explanation.Verdict.Step != "remove" || len(h.Rulings) != 1 || h.Rulings[0].Ticks != 5 {
		t.Fatalf("%v %+v", err, h)
	}
	if text := table(t, h); !strings.Contains(text, "is REMOVED now, rule ") || !strings.Contains(text, "rank 5") {
		t.Error(text)
	}
	report, err := at(dir).Last()
	if err != nil || len(report.(RulesReport).Verdicts) != 5 {
		t.Errorf("%v %+v", err, report)
	}
}
