package explain

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"

	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/journal/journaltest"
)

func filled(t *testing.T) string {
	dir := t.TempDir()
	journaltest.Write(t, dir, 12, journal.Options{SegmentBytes: 20_000})
	return dir
}

func time10(ticks uint64) time.Duration { return time.Duration(ticks) * 10 * time.Second }

func b2i(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

func table(t *testing.T, p Page) string {
	t.Helper()
	var b strings.Builder
	if err := Table(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPageAccountsForEveryContainer(t *testing.T) {
	dir := filled(t)
	for _, number := range []uint64{1, 6, 12} {
		page, err := Tick(dir, number)
		if err != nil {
			t.Fatal(err)
		}
		if page.Tick != number || page.Sequence != 100+number || page.DataAgeUS != 1234 || len(page.Containers) != 5 {
			t.Fatalf("tick %d: %+v", number, page)
		}
		if !page.At.Equal(journaltest.Start.Add(time10(number - 1))) {
			t.Errorf("tick %d was written at %s", number, page.At)
		}
		for i, r := range page.Containers {
			gone := i >= 3
			if (r.Verdict.Verdict == contract.VerdictRemove) != gone || len(r.Actions) != b2i(gone) || r.State != "running" {
				t.Errorf("tick %d: %+v", number, r)
			}
		}
		if d := page.Containers[4].Actions[0]; d.Tick != number || d.Outcome != contract.OutcomeDone || d.LatencyUS != 250_000 {
			t.Errorf("tick %d: %+v", number, d)
		}
	}
	last, err := Last(dir)
	if err != nil || last.Tick != 12 {
		t.Errorf("the last tick is %d: %v", last.Tick, err)
	}
}

func TestTableSaysRankCutNeighbourAndOutcome(t *testing.T) {
	page, err := Last(filled(t))
	if err != nil {
		t.Fatal(err)
	}
	text := table(t, page)
	for _, want := range []string{
		"tick 12, snapshot 112, 2026-01-02T03:05:50Z", "mode enforce, classify declared", "data from module over 10s, 1ms old",
		"low: 5 owned, 5 compete for 3 places, 0 missing, 2 removed", "high: 0 owned, 0 compete for 2 places, 2 missing",
		"REMOVE", "4/3", "behind l2 (rank 3) by cpu: 30m against 20m", "remove done after 250ms", "700 KB",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestPageOfAGatedTickSaysSo(t *testing.T) {
	in := journaltest.Tick(3)
	in.Gates = []string{"stale", "engine"}
	plan := contract.Plan{Tick: 3, Surprise: true, Verdicts: []contract.Verdict{{ID: "ab", Name: "e\x1b[31m\nvil", Class: contract.ClassLow, Verdict: "keep", Reason: contract.ReasonYoung}}}
	page := New(journaltest.Start, in, plan, nil)
	text := table(t, page)
	if !strings.Contains(text, "nothing was done: stale, engine") {
		t.Error(text)
	}
	if strings.Contains(text, "\x1b") || !strings.Contains(text, `"e\x1b[31m\nvil"`) {
		t.Errorf("a hostile name reaches the terminal: %q", text)
	}
	page.Gates = nil
	if !strings.Contains(table(t, page), "surprise") {
		t.Error(table(t, page))
	}
	var back Page
	var b strings.Builder
	if err := JSON(&b, page); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(b.String()), &back); err != nil || back.Containers[0].Reason != contract.ReasonYoung {
		t.Errorf("%v: %s", err, b.String())
	}
}

func TestStoryOfAContainer(t *testing.T) {
	dir := filled(t)
	for _, who := range []string{"l4", journaltest.ID(4), journaltest.ID(4)[:12]} {
		s, err := Container(dir, who)
		if err != nil {
			t.Fatal(err)
		}
		if s.Name != "l4" || s.Image != "gestor/low-idle" || s.Class != contract.ClassLow || len(s.Actions) != 12 {
			t.Fatalf("%s: %+v", who, s)
		}
		if len(s.Chapters) != 1 || s.Chapters[0].Ticks != 12 || s.Chapters[0].FromTick != 1 || s.Chapters[0].ToTick != 12 {
			t.Errorf("%s: %+v", who, s.Chapters)
		}
	}
	var b strings.Builder
	s, _ := Container(dir, "l4")
	if err := StoryTable(&b, s); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"l4, 4000", "1-12", "REMOVE", "5/3", "behind l2", "remove done after 250ms"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestWhatIsNotThereIsNotExplained(t *testing.T) {
	dir := filled(t)
	if _, err := Tick(dir, 13); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if _, err := Container(dir, "nobody"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if _, err := Container(dir, "0"); !errors.Is(err, ErrNotFound) {
		t.Errorf("one digit is taken for an id: %v", err)
	}
	empty := t.TempDir()
	if _, err := Last(empty); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

func TestAmbiguousNameListsTheIDs(t *testing.T) {
	teller := teller{who: "same", stories: map[string]*Story{}}
	if !teller.answers(strings.Repeat("a", 64), "same") || teller.answers("same", "other") != true {
		t.Error("a name and the beginning of an id both answer")
	}
	dir := t.TempDir()
	j, _, err := journal.Open(dir, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"aaaa1", "aaaa2"} {
		if _, err := j.Intent(journal.Intent{ActionID: id, Subject: contract.Subject{Container: id, Name: "same"}, Action: contract.ActionRemove}); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Container(dir, "same"); !errors.Is(err, ErrAmbiguous) || !strings.Contains(err.Error(), "aaaa1, aaaa2") {
		t.Error(err)
	}
	s, err := Container(dir, "aaaa1")
	if err != nil || len(s.Actions) != 1 || s.Actions[0].String() != "remove begun, no outcome yet" {
		t.Errorf("%v %+v", err, s)
	}
}
