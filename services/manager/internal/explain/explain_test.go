package explain

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/journal/journaltest"
	"gestor.local/manager/internal/rules"
)

func newJournal(t *testing.T) string {
	dir := t.TempDir()
	journaltest.Write(t, dir, 12, journal.Options{SegmentBytes: 20_000})
	return dir
}

// at is the journal in a folder, of a host whose log service is where compose puts it.
func at(dir string) Journal { return Journal{Path: dir, Logs: "http://127.0.0.1:8080"} }

// ofVersion1 is a report on a tick of version 1.
func ofVersion1(report Report, err error) (TickReport, error) {
	of, ok := report.(TickReport)
	if err == nil && !ok {
		err = fmt.Errorf("%T is a report on no tick of version 1", report)
	}
	return of, err
}

func time10(ticks uint64) time.Duration { return time.Duration(ticks) * 10 * time.Second }

func b2i(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

func table(t *testing.T, p Report) string {
	t.Helper()
	var b strings.Builder
	if err := p.Table(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTickReportHasEveryContainer(t *testing.T) {
	dir := newJournal(t)
	for _, number := range []uint64{1, 6, 12} {
		report, err := ofVersion1(at(dir).Tick(number))
		if err != nil {
			t.Fatal(err)
		}
		if report.Tick != number || report.Sequence != 100+number || report.DataAgeUS != 1234 || len(report.Containers) != 5 {
			t.Fatalf("tick %d: %+v", number, report)
		}

		if !report.At.Equal(journaltest.Start.Add(time10(number - 1))) {
			t.Errorf("tick %d was written at %s", number, report.At)
		}

		for i, r := range report.Containers {
			removed := i >= 3
			if (r.Verdict.Verdict == contract.VerdictRemove) != removed || len(r.Actions) != b2i(removed) || r.State != "running" {
				t.Errorf("tick %d: %+v", number, r)
			}
		}

		if d := report.Containers[4].Actions[0]; d.Tick != number || d.Outcome != contract.OutcomeDone || d.LatencyUS != 250_000 {
			t.Errorf("tick %d: %+v", number, d)
		}
	}

	last, err := ofVersion1(at(dir).Last())
	if err != nil || last.Tick != 12 {
		t.Errorf("the last tick is %d: %v", last.Tick, err)
	}
}

func TestTableSaysRankCutNeighbourAndOutcome(t *testing.T) {
	report, err := ofVersion1(at(newJournal(t)).Last())
	if err != nil {
		t.Fatal(err)
	}
	text := table(t, report)
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

func TestALongNameDoesNotWidenEveryRow(t *testing.T) {
	row := func(id, name string) contract.Verdict {
		return contract.Verdict{ID: id, Name: name, Class: contract.ClassLow, Verdict: contract.VerdictKeep, Reason: contract.ReasonYoung}
	}
	plan := contract.Plan{Tick: 3, Verdicts: []contract.Verdict{row("ab", strings.Repeat("ñ", 4000)), row("cd", "web"), row("ef", strings.Repeat("b", 80))}}
	text := table(t, NewTickReport(journaltest.Start, journaltest.Tick(3), plan, nil, nil))
	if len(text) > 4000 || !strings.Contains(text, strings.Repeat("ñ", 80)+"…") || !strings.Contains(text, strings.Repeat("b", 80)+" ") {
		t.Errorf("%d bytes: %.600s", len(text), text)
	}
}

func TestReportOfAGatedTickSaysSo(t *testing.T) {
	in := journaltest.Tick(3)
	in.Gates = []string{"stale", "engine"}
	plan := contract.Plan{Tick: 3, Surprise: true, Verdicts: []contract.Verdict{{ID: "ab", Name: "e\x1b[31m\nvil", Class: contract.ClassLow, Verdict: "keep", Reason: contract.ReasonYoung}}}
	report := NewTickReport(journaltest.Start, in, plan, nil, nil)
	text := table(t, report)
	if !strings.Contains(text, "nothing was done: stale, engine") {
		t.Error(text)
	}

	if strings.Contains(text, "\x1b") || !strings.Contains(text, `"e\x1b[31m\nvil"`) {
		t.Errorf("a hostile name reaches the terminal: %q", text)
	}
	report.Gates = nil
	if !strings.Contains(table(t, report), "surprise") {
		t.Error(table(t, report))
	}

	var back TickReport
	var b strings.Builder
	if err := JSON(&b, report); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(b.String()), &back); err != nil || back.Containers[0].Reason != contract.ReasonYoung {
		t.Errorf("%v: %s", err, b.String())
	}
}

func TestHistoryOfAContainer(t *testing.T) {
	dir := newJournal(t)
	for _, who := range []string{"l4", journaltest.ID(4), journaltest.ID(4)[:12]} {
		s, err := at(dir).Container(who)
		if err != nil {
			t.Fatal(err)
		}
		if s.Name != "l4" || s.Image != "gestor/low-idle" || s.Class != contract.ClassLow || len(s.Actions) != 12 {
			t.Fatalf("%s: %+v", who, s)
		}

		if len(s.Spans) != 1 || s.Spans[0].Ticks != 12 || s.Spans[0].FromTick != 1 || s.Spans[0].ToTick != 12 {
			t.Errorf("%s: %+v", who, s.Spans)
		}
	}

	var b strings.Builder
	s, _ := at(dir).Container("l4")
	if err := s.Table(&b); err != nil {
		t.Fatal(err)
	}

	for _, want := range []string{"l4, 4000", "1-12", "REMOVE", "5/3", "behind l2", "remove done after 250ms"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

// Whoever asks for what is not there learns how far the journal reaches and how the log service is asked.
func TestWhatIsNotThereIsNotExplained(t *testing.T) {
	const reach = "not in the journal, which reaches from tick 1 (2026-01-02T03:04:00Z) to tick 12 (2026-01-02T03:05:50Z)"
	dir, empty := newJournal(t), t.TempDir()
	id := strings.Repeat("ab", 32)
	tests := []struct {
		name string
		ask  func(Journal) error
		in   Journal
		want string
	}{
		{"a tick", findTickErr(13), at(dir), "tick 13: " + reach + "; next: ask the log service, which keeps more: curl -s 'http://127.0.0.1:8080/v1/records?limit=1000&q=%22tick%22%3A13,'"},
		{"a name", findContainerErr("nobody"), at(dir), `container "nobody": ` + reach + "; next: ask the log service, which keeps more: curl -s 'http://127.0.0.1:8080/v1/records?kind=launch,decision,action&q=nobody'"},
		{"an id", findContainerErr(id), at(dir), "curl -s 'http://127.0.0.1:8080/v1/containers/" + id + "'"},
		{"a short id", findContainerErr(id[:12]), at(dir), "curl -s 'http://127.0.0.1:8080/v1/containers/abababababab'"},
		{"what is no name", findContainerErr("a'; b&"), at(dir), `/v1/records?kind=launch,decision,action&q=a%27%3B+b%5Cu0026'`},
		{"no log service is known", findContainerErr("nobody"), Journal{Path: dir}, `container "nobody": ` + reach},
		{"fewer digits than an id has", findContainerErr("000"), at(dir), reach},
		{"an empty journal", findTickErr(1), Journal{Path: empty}, "tick 1: not in the journal, which holds no decision yet; next: wait"},
		{"an empty journal, and a log service", findContainerErr("web"), at(empty), "holds no decision yet; next: ask the log service"},
		{"no last tick", func(j Journal) error { _, err := j.Last(); return err }, at(empty), "the last tick: not in the journal, which holds no decision yet; next: wait"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.ask(tt.in); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func findTickErr(number uint64) func(Journal) error {
	return func(j Journal) error { _, err := j.Tick(number); return err }
}

func findContainerErr(who string) func(Journal) error {
	return func(j Journal) error { _, err := j.Container(who); return err }
}

// fixture is a journal that a test fills tick by tick.
type fixture struct {
	t   *testing.T
	dir string
	*journal.Journal
	now time.Time
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	s := &fixture{t: t, dir: t.TempDir(), now: journaltest.Start}
	var err error
	if s.Journal, _, err = journal.Open(s.dir, journal.Options{Now: func() time.Time { return s.now }}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// tick decides on the input under the policy, ten seconds after the one before.
func (s *fixture) tick(p contract.Policy, in journal.Tick) contract.Plan {
	s.t.Helper()
	s.now = s.now.Add(10 * time.Second)
	plan := rules.DecideV1(rules.Compile(p), in.Population, in.Inventory, in.Context)
	if _, err := s.Tick(p, in, plan); err != nil {
		s.t.Fatal(err)
	}
	return plan
}

// recordTick writes a tick on which containers of these names are there, each under its id.
func (s *fixture) recordTick(n uint64, names map[string]string) {
	s.t.Helper()
	in := journaltest.Tick(n)
	in.Population.Members, in.Inventory.Entries = nil, nil
	for _, id := range slices.Sorted(maps.Keys(names)) {
		in.Inventory.Entries = append(in.Inventory.Entries, contract.Entry{ID: id, Name: names[id], State: "running", Labels: map[string]string{contract.LabelManaged: "true"}})
	}
	s.tick(contract.DefaultPolicy(), in)
}

func TestAPartOfANameIsEnoughWhereItIsTheOnlyOne(t *testing.T) {
	id := func(digits string) string { return digits + strings.Repeat("0", 64-len(digits)) }
	s := newFixture(t)
	s.recordTick(1, map[string]string{id("abcd1"): "twice", id("1111"): "web-1"})
	s.recordTick(2, map[string]string{id("abcd2"): "twice", id("1111"): "web-1", id("2222"): "web-10", id("3333"): "proxy-abcd3", id("4444"): "cafe", id("cafe"): "other"})
	tests := []struct {
		who, name string // "" when nobody is found
		err       error
		says      string
	}{
		{"web-1", "web-1", nil, ""}, // whole, though another begins with it
		{"web-10", "web-10", nil, ""},
		{"b-10", "web-10", nil, ""},
		{"prox", "proxy-abcd3", nil, ""},
		{"2222", "web-10", nil, ""},
		{"cafe", "cafe", nil, ""}, // a whole name comes before the beginning of an id
		{"cafe0", "other", nil, ""},
		{"abcd", "", ErrAmbiguous, "twice (abcd20000000, last on tick 2), twice (abcd10000000, last on tick 1); next: give more digits of the id"}, // digits before a part
		{"abcd1", "twice", nil, ""},
		{"twice", "", ErrAmbiguous, "twice (abcd20000000, last on tick 2), twice (abcd10000000, last on tick 1); next: give more digits of the id"},
		{"web", "", ErrAmbiguous, "web-1 (111100000000, last on tick 2), web-10 (222200000000, last on tick 2); next: give the whole name, or the id"},
		{"WEB", "", ErrNotFound, "next: ask the log service"},
	}

	for _, tt := range tests {
		t.Run(tt.who, func(t *testing.T) {
			history, err := at(s.dir).Container(tt.who)
			if !errors.Is(err, tt.err) || history.Name != tt.name || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%q: %v", history.Name, err)
			}
			if err == nil && len(history.Spans) == 0 {
				t.Error("nothing is found")
			}
		})
	}
}

func TestManyMatchesAreNotAllListed(t *testing.T) {
	s, names := newFixture(t), map[string]string{}
	for i := range 25 {
		names[fmt.Sprintf("%064x", i)] = fmt.Sprintf("web-%02d", i)
	}
	s.recordTick(1, names)
	_, err := at(s.dir).Container("web")
	if !errors.Is(err, ErrAmbiguous) || !strings.Contains(err.Error(), "web-09 (") || strings.Contains(err.Error(), "web-10 (") || !strings.Contains(err.Error(), " and 15 more; next:") {
		t.Error(err)
	}
}

// Who is not there any more: removed by Gestor, or by whomever, and where its whole life is.
func TestAHistorySaysHowItEnded(t *testing.T) {
	id := strings.Repeat("ab", 32)
	s := newFixture(t)
	s.recordTick(1, map[string]string{id: "web", journaltest.ID(1): "other"})
	render := func() string {
		t.Helper()
		history, err := at(s.dir).Container("web")
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := history.Table(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}

	const life = "\nThe journal reaches back to tick 1 (2026-01-02T03:04:10Z).\nIts whole life: http://127.0.0.1:8080/containers/"
	steps := []struct {
		name, want string
		before     func()
	}{
		{"there", "\nthere on the newest tick, tick 1 (2026-01-02T03:04:10Z)\n", func() {}},
		{"gone", "\nnot there any more on the newest tick, tick 2 (2026-01-02T03:04:20Z): no removal by Gestor is in the journal\n", func() {
			s.recordTick(2, map[string]string{journaltest.ID(1): "other"})
		}},
		{"removed", "\nremoved by Gestor at 2026-01-02T03:04:20Z\n", func() {
			intent := journal.Intent{ActionID: "1", Subject: contract.Subject{Container: id, Name: "web"}, Action: contract.ActionRemove}
			if _, err := s.Intent(intent); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Outcome(journal.Outcome{ActionID: "1", Outcome: contract.OutcomeDone}); err != nil {
				t.Fatal(err)
			}
		}},
	}

	for _, step := range steps {
		step.before()
		if text := render(); !strings.Contains(text, step.want) || !strings.Contains(text, life+id+", as JSON: curl -s 'http://127.0.0.1:8080/v1/containers/"+id+"'") {
			t.Errorf("%s: %s", step.name, text)
		}
	}
}

// A tick that had nothing to decide on is in the journal, without a plan.
func TestATickWithoutAPlanSaysWhy(t *testing.T) {
	s := newFixture(t)
	s.recordTick(1, nil)
	if err := s.NoPlan(journal.NoPlan{Tick: 2, Gates: []string{"no_source"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := ofVersion1(at(s.dir).Tick(2)); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "nothing to decide on (no_source)") {
		t.Error(err)
	}
}

// A tick without a plan is not the last one that is explained, under a policy of either version.
func TestATickWithoutAPlanIsNotTheLast(t *testing.T) {
	s := newFixture(t)
	s.recordTick(1, nil)
	if err := s.NoPlan(journal.NoPlan{Tick: 2, Gates: []string{"inventory"}, Version2: "0123456789abcdef"}); err != nil {
		t.Fatal(err)
	}

	if _, err := at(s.dir).Tick(2); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "nothing to decide on (inventory)") {
		t.Error(err)
	}
	if r, err := ofVersion1(at(s.dir).Last()); err != nil || r.Tick != 1 {
		t.Errorf("the last is %d, %v", r.Tick, err)
	}
}

// The policy that a tick was decided under is in the journal: what tied is named by its order and its buckets.
func TestTiesAreExplainedByThePolicyOfTheTick(t *testing.T) {
	s := newFixture(t)
	p := contract.DefaultPolicy()
	p.Quota.Low = 1
	in := journaltest.Tick(1)
	for i := range in.Population.Members {
		m := &in.Population.Members[i]
		m.CPUMillicores, m.RSSKB = 10, uint64(700+i)
	}

	s.tick(p, in)
	p.Rank = []contract.Key{contract.KeyRSS, contract.KeyCPU, contract.KeyRAM, contract.KeyVSZ}
	in.Context.Tick = 2
	s.tick(p, in)

	for number, want := range map[uint64]string{1: "by rss: 701 KB against 700 KB, since cpu, ram and vsz tie", 2: "by rss: 701 KB against 700 KB  "} {
		report, err := ofVersion1(at(s.dir).Tick(number))
		if err != nil {
			t.Fatal(err)
		}
		if text := table(t, report); !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}

	history, err := at(s.dir).Container("l1")
	if err != nil || !strings.HasSuffix(history.Spans[0].Last.Text, "by rss: 701 KB against 700 KB") {
		t.Errorf("%+v: %v", history.Spans, err)
	}
}

// Under shadow everybody who is there is shown: what would be removed, and what would have been before and runs on.
func TestShadowHidesNobody(t *testing.T) {
	s := newFixture(t)
	p := contract.DefaultPolicy()
	p.Mode, p.Quota.Low = contract.ModeShadow, 4
	s.tick(p, journaltest.Tick(1)) // l4 would be removed

	in := journaltest.Tick(2)
	gone := journal.Shadowed{Tick: 1, Reason: contract.ReasonOverQuota, Class: contract.ClassLow, Entry: in.Inventory.Entries[4], Member: &in.Population.Members[4]}
	in.Population.Members, in.Inventory.Entries = in.Population.Members[:4], in.Inventory.Entries[:4]
	in.Shadow = []journal.Shadowed{gone}
	s.tick(p, in)

	first, err := ofVersion1(at(s.dir).Tick(1))
	if err != nil {
		t.Fatal(err)
	}
	if r := first.Containers[4]; r.Held != contract.HeldShadow || first.Held != contract.HeldShadow || r.State != "running" {
		t.Errorf("%+v", r)
	}

	for _, want := range []string{
		"nothing was done: mode shadow only shows what it would remove", "1 would be removed", "WOULD REMOVE  low", "; not carried out (shadow): it runs on",
	} {
		if text := table(t, first); !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}

	second, err := ofVersion1(at(s.dir).Last())
	if err != nil || len(second.Containers) != 5 {
		t.Fatalf("%+v: %v", second.Containers, err)
	}
	if r := second.Containers[4]; r.Name != "l4" || r.Verdict.Verdict != contract.VerdictKeep || r.Reason != contract.ReasonShadowRemoved || r.State != "running" || r.Measures.CPUMillicores != 40 {
		t.Errorf("%+v", r)
	}

	for _, want := range []string{"; 1 more run on, removed in shadow only", "mode shadow would have removed it on tick 1 (over_quota): it runs on", "40m"} {
		if text := table(t, second); !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}

	history, err := at(s.dir).Container("l4")
	if err != nil || len(history.Spans) != 2 || history.Spans[1].Last.Reason != contract.ReasonShadowRemoved || history.status()[:5] != "there" {
		t.Errorf("%+v: %v", history, err)
	}
	in.Shadow[0].Entry.State = contract.StateExited
	in.Context.Tick = 3
	s.tick(p, in)

	if third, _ := at(s.dir).Last(); strings.Contains(table(t, third), "runs on") || strings.Contains(table(t, third), "run on") {
		t.Errorf("it has ended:\n%s", table(t, third))
	}
}

// An action is found, also where the ticks around it are gone.
func TestAnActionAloneIsAHistory(t *testing.T) {
	s := newFixture(t)
	id := strings.Repeat("ab", 32)
	if _, err := s.Intent(journal.Intent{ActionID: "1", Subject: contract.Subject{Container: id, Name: "web"}, Action: contract.ActionRemove}); err != nil {
		t.Fatal(err)
	}
	history, err := at(s.dir).Container("web")
	if err != nil || len(history.Actions) != 1 || history.Actions[0].String() != "remove begun, no outcome yet" || history.status() != "no decision on it is in the journal" {
		t.Errorf("%v %+v", err, history)
	}

	var b strings.Builder
	if err := history.Table(&b); err != nil || strings.Contains(b.String(), "reaches back") {
		t.Error(b.String(), err)
	}
}
