package govern

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/reason"
	"gestor.local/ship"
)

// What mode shadow forgot stands in its place again, however the ids fall: who is looked for by id is found.
func TestATickOfTheJournalIsSortedWithItsShadow(t *testing.T) {
	member := func(id string) contract.Member { return contract.Member{ID: id} }
	tick := &tick{
		pop: &contract.Population{Members: []contract.Member{member("b"), member("d")}},
		inv: &contract.Inventory{Entries: []contract.Entry{{ID: "b"}, {ID: "d"}}},
	}

	for _, id := range []string{"a", "c"} {
		m := member(id)
		tick.shadow = append(tick.shadow, journal.Shadowed{Entry: contract.Entry{ID: id}, Member: &m})
	}
	tick.addShadow()

	for _, id := range []string{"a", "b", "c", "d"} {
		if tick.pop.Member(id) == nil || tick.inv.Entry(id) == nil {
			t.Errorf("%s is not found: members %v, entries %v", id, tick.pop.Members, tick.inv.Entries)
		}
	}
}

func TestWhatIsRememberedOfALoopIsBounded(t *testing.T) {
	var r restartHistory
	now := time.Now()
	for n := range 10_000 { // a week of it
		now = now.Add(time.Minute)
		r = r.add(now, engine.ContainerState{State: contract.StateRestarting, RestartCount: n})
	}
	if most := int(loopSpan/time.Minute) + 2; len(r.counts) > most || !r.isLooping(now) {
		t.Errorf("%d counts, loops %t", len(r.counts), r.isLooping(now))
	}
}

func TestScheduleNeverDrifts(t *testing.T) {
	start := time.Now()
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	g := newSchedule(start, 10*time.Second)
	steps := []struct {
		begins, ends float64 // seconds since the start
		late         time.Duration
		skipped      uint64 // before the tick and during it
		due          float64
	}{
		{0, 0.2, 0, 0, 10},
		{10.3, 10.5, 300 * time.Millisecond, 0, 20},
		{20, 30, 0, 0, 30},                 // took exactly a tick: the next is due at once
		{30, 55, 0, 2, 60},                 // points 40 and 50 are lost
		{87, 87.1, 7 * time.Second, 2, 90}, // woken late: 60 and 70 are lost, 80 is taken
	}

	for i, s := range steps {
		late, before := g.begin(at(s.begins))
		skipped := before + g.advance(at(s.ends))
		if late != s.late || skipped != s.skipped || !g.due().Equal(at(s.due)) {
			t.Errorf("step %d: late %s, skipped %d, due %s; want %s, %d, %gs", i, late, skipped, g.due().Sub(start), s.late, s.skipped, s.due)
		}
	}
}

func TestBreakerBacksOffAndForgets(t *testing.T) {
	b, now := newBreaker(), time.Now()
	fail := func() (opened bool) {
		opened, _ = b.record(now, true, errors.New("no"), 2)
		return opened
	}
	if fail() || !fail() || b.state(now) != BreakerOpen {
		t.Fatalf("after two faults: %s", b.state(now))
	}

	for _, wait := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 5 * time.Minute, 5 * time.Minute} {
		if got := b.until.Sub(now); got != wait {
			t.Errorf("waits %s, want %s", got, wait)
		}
		now = b.until
		if b.state(now) != BreakerHalfOpen || !fail() {
			t.Errorf("not open again after %s", wait)
		}
	}
	now = b.until
	if _, closes := b.record(now, false, nil, 2); !closes || b.state(now) != BreakerClosed {
		t.Errorf("a success leaves it %s", b.state(now))
	}
	if fail() {
		t.Error("opens on the first fault after a success")
	}
}

// A fault of an action that succeeded in the end has no error: the one before it is not told as the last.
func TestBreakerTellsTheLastFault(t *testing.T) {
	b, now := newBreaker(), time.Now()
	b.record(now, true, errors.New("connection refused"), 2)
	b.record(now, true, nil, 2)
	want := "2 engine errors in a row (last: it passed when it was tried again); tried again in 30s"
	if got := b.text(now); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestRespawnsCountReturnsNotReplicas(t *testing.T) {
	service := map[string]string{contract.LabelProject: "p", contract.LabelService: "web", contract.LabelConfigHash: "1f"}
	entry := func(id string) contract.Entry { return contract.Entry{ID: id, Name: "web-" + id, Labels: service} }
	f, now := newRespawnTracker(), time.Now()
	f.observe(now, contract.Inventory{Entries: []contract.Entry{entry("1"), entry("2")}}, 2)
	f.removed(now, respawnKey("web-1", service))
	if futile, _ := f.observe(now, contract.Inventory{Entries: []contract.Entry{entry("2")}}, 1); len(futile) != 0 {
		t.Errorf("a replica that was there all the time counts as a return: %v", futile)
	}

	for n, id := range []string{"3", "4"} {
		futile, fresh := f.observe(now, contract.Inventory{Entries: []contract.Entry{entry("2"), entry(id)}}, 2)
		if want := n == 1; (len(futile) > 0) != want || (len(fresh) > 0) != want {
			t.Errorf("return %d: futile %v, fresh %v", n+1, futile, fresh)
		}
		f.removed(now, respawnKey("web-"+id, service))
	}
	now = now.Add(respawnRetention + time.Second)
	if futile, _ := f.observe(now, contract.Inventory{Entries: []contract.Entry{entry("5")}}, 2); len(futile) != 0 {
		t.Errorf("never forgotten: %v", futile)
	}
}

func TestLabelsInheritedFromAnImageNameNoService(t *testing.T) {
	inherited := map[string]string{contract.LabelProject: "p", contract.LabelService: "low-idle"}
	f, now := newRespawnTracker(), time.Now()
	for _, id := range []string{"1", "2", "3", "4"} {
		entry := contract.Entry{ID: id, Name: "low-idle-" + id, Labels: inherited}
		if futile, _ := f.observe(now, contract.Inventory{Entries: []contract.Entry{entry}}, 2); len(futile) != 0 {
			t.Fatalf("containers of one image count as one that returns: %v", futile)
		}
		f.removed(now, respawnKey(entry.Name, inherited))
	}
}

func TestSuiteIsProtectedAndFound(t *testing.T) {
	role := func(id, role, suite string) contract.Entry {
		return contract.Entry{ID: id, State: "running", Labels: map[string]string{contract.LabelRole: role, contract.LabelProject: suite, contract.LabelConfigHash: "1"}}
	}
	inv := contract.Inventory{Entries: []contract.Entry{
		role("1", "logs", "a"), role("2", "manager", "a"), role("3", "logs", "b"), role("4", "generator", "b"),
		{ID: "5"},
		{ID: "6", State: "running", Labels: map[string]string{contract.LabelRole: "logs", contract.LabelProject: "c"}}, // a stranger's word
		{ID: "7", State: "running", Labels: map[string]string{contract.LabelRole: "manager", contract.LabelStack: "d", contract.LabelSwarmService: "d_manager"}},
		role("8", "manager", "e"),
		{ID: "9", Labels: map[string]string{contract.LabelRole: "generator", contract.LabelProject: "e", contract.LabelConfigHash: "1"}},
	}}
	const far, near = "https://logs.example:8443", "http://logs:8080"
	tests := []struct {
		name      string
		suite     Suite
		ids       string
		why, next string
	}{
		{"outside of containers", Suite{Name: "a"}, "1 2", "", ""},
		{"of any suite", Suite{}, "1 2 3 4 7 8 9", "", ""},
		{"in its container", Suite{ManagerID: "2", Name: "a"}, "1 2", "", ""},
		{"without a label of its own", Suite{ManagerID: "5", Name: "a"}, "1 2 5", "", ""},
		{"on another engine", Suite{ManagerID: "0", Name: "a"}, "1 2", "is not among", "docker compose"},
		{"no log service of this suite", Suite{ManagerID: "2", Name: "c"}, "2", "gestor.role=logs", "GESTOR_LOGS_ELSEWHERE=true"},
		{"the log service elsewhere", Suite{ManagerID: "8", Name: "e", LogsElsewhere: far}, "8 9", "", ""},
		{"elsewhere, and on another engine", Suite{ManagerID: "0", Name: "e", LogsElsewhere: far}, "8 9", "is not among", "docker compose"},
		{"elsewhere, outside of containers", Suite{Name: "e", LogsElsewhere: near}, "8 9", "", ""},
		{"elsewhere, at the project's own address", Suite{ManagerID: "8", Name: "e", LogsElsewhere: near}, "8 9", near, "set GESTOR_LOGS_URL"},
		{"elsewhere in a stack, whose name it is", Suite{ManagerID: "7", Name: "d", LogsElsewhere: near}, "7", "", ""},
	}

	for _, tt := range tests {
		ids, failure := tt.suite.resolve(inv)
		if strings.Join(ids, " ") != tt.ids || (tt.why == "") != (failure == nil) {
			t.Errorf("%s: %v, %+v", tt.name, ids, failure)
		}
		if failure != nil {
			c := gateCondition(*failure)
			if c.Name != GateSuite || !strings.Contains(failure.why, tt.why) || !strings.Contains(c.Text, "; next: ") || !strings.Contains(c.Text, tt.next) {
				t.Errorf("%s: %+v", tt.name, c)
			}
		}
	}
}

func TestWhatMadeAContainerIsKnownByItsLabels(t *testing.T) {
	type labels = map[string]string
	compose := labels{contract.LabelProject: "p", contract.LabelService: "web", contract.LabelConfigHash: "1"}
	podman := func(more labels) labels {
		out := labels{
			contract.LabelPodmanProject: "p", contract.LabelProject: "p", contract.LabelService: "web", contract.LabelPodmanConfigHash: "1",
			contract.LabelSystemdUnit: "podman-compose@p.service",
		}
		maps.Copy(out, more)
		return out
	}
	pod := func(name string) labels {
		return labels{contract.LabelPod: name, contract.LabelPodNamespace: "shop", contract.LabelPodContainer: "app"}
	}

	for name, tt := range map[string]struct {
		one, other labels
		same       bool
	}{
		"nothing but the name":            {nil, nil, false},
		"a compose service":               {compose, compose, true},
		"labels of an image":              {labels{contract.LabelService: "web"}, labels{contract.LabelService: "web"}, false},
		"a swarm service":                 {labels{contract.LabelSwarmService: "web"}, labels{contract.LabelSwarmService: "web", contract.LabelSwarmTask: "2"}, true},
		"of an image that compose built":  {labels{contract.LabelSwarmService: "web", contract.LabelService: "x"}, labels{contract.LabelSwarmService: "api", contract.LabelService: "x"}, false},
		"two swarm services":              {labels{contract.LabelSwarmService: "web"}, labels{contract.LabelSwarmService: "api"}, false},
		"tasks of services without names": {labels{contract.LabelSwarmTask: "1"}, labels{contract.LabelSwarmTask: "2"}, false},
		"a service of podman-compose":     {podman(labels{contract.LabelPodmanService: "web"}), podman(labels{contract.LabelPodmanService: "web"}), true},
		"of podman-compose before 1.5":    {podman(nil), podman(nil), true},
		"two services of podman-compose":  {podman(labels{contract.LabelPodmanService: "web"}), podman(labels{contract.LabelPodmanService: "api"}), false},
		"two projects of podman-compose":  {podman(labels{contract.LabelPodmanService: "web"}), podman(labels{contract.LabelPodmanService: "web", contract.LabelPodmanProject: "q"}), false},
		"podman's and docker's compose":   {podman(labels{contract.LabelPodmanService: "web"}), compose, false},
		"a unit of systemd":               {labels{contract.LabelSystemdUnit: "web.service"}, labels{contract.LabelSystemdUnit: "web.service"}, true},
		"two instances of a unit":         {labels{contract.LabelSystemdUnit: "web@1.service"}, labels{contract.LabelSystemdUnit: "web@2.service"}, false},
		"pods of one kind":                {pod("web-5d9"), pod("web-7f1"), true},
		"an allocation":                   {labels{contract.LabelNomadAlloc: "a"}, labels{contract.LabelNomadAlloc: "a"}, true},
		"two allocations":                 {labels{contract.LabelNomadAlloc: "a"}, labels{contract.LabelNomadAlloc: "b"}, false},
		"two allocations of a job":        {labels{contract.LabelNomadAlloc: "a", contract.LabelNomadJob: "j"}, labels{contract.LabelNomadAlloc: "b", contract.LabelNomadJob: "j"}, true},
		"two groups of a job": {
			labels{contract.LabelNomadAlloc: "a", contract.LabelNomadJob: "j", contract.LabelNomadGroup: "g"},
			labels{contract.LabelNomadAlloc: "b", contract.LabelNomadJob: "j", contract.LabelNomadGroup: "h"},
			false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if one, other := respawnKey("one", tt.one), respawnKey("other", tt.other); (one == other) != tt.same {
				t.Errorf("%q and %q, want the same: %t", one, other, tt.same)
			}
		})
	}
}

func TestFloorIsTheClassesOwn(t *testing.T) {
	p := contract.DefaultPolicy()
	plan := contract.Plan{Verdicts: []contract.Verdict{
		{ID: "l2", Class: contract.ClassLow, Reason: contract.ReasonCapped},
		{ID: "l1", Class: contract.ClassLow, Reason: contract.ReasonWithinQuota},
		{ID: "h1", Class: contract.ClassHigh, Reason: contract.ReasonWithinQuota},
		{ID: "x", Class: contract.ClassLow, Reason: contract.ReasonYoung},
	}}
	low := contract.Verdict{Class: contract.ClassLow, Reason: contract.ReasonOverQuota}
	if f := minAvailableOf(p, plan, low); f.Need != 3 || !slices.Equal(f.Survivors, []string{"l1", "l2"}) {
		t.Errorf("low: %+v", f)
	}
	if f := minAvailableOf(p, plan, contract.Verdict{Class: contract.ClassLow, Reason: contract.ReasonYoungFlood}); f.Need != 0 {
		t.Errorf("young flood: %+v", f)
	}
	p.Classify = contract.ClassifyRank
	if f := minAvailableOf(p, plan, low); f.Need != 5 || !slices.Equal(f.Survivors, []string{"h1", "l1", "l2"}) {
		t.Errorf("rank mode: %+v", f)
	}
}

func TestEveryConditionIsWorded(t *testing.T) {
	names := append(GateNames(), ConditionNames()...)
	for _, name := range names {
		c := condition(name, "why", true)
		if c.Title == "" || !strings.HasPrefix(c.Text, "why; next: ") || len(c.Text) < 20 {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

func TestConditionsEscalateOncePerTick(t *testing.T) {
	b, now := newConditionSet(), time.Now()
	var kinds []changeKind
	for range 6 {
		for range 2 { // two failures of one gate on the same tick count once
			if ch, changed := b.raise(Condition{Name: "x"}, now, 3, 6); changed {
				kinds = append(kinds, ch.kind)
			}
		}
		if ended := b.clearStale(); len(ended) != 0 {
			t.Fatalf("ended %v", ended)
		}
	}
	if !slices.Equal(kinds, []changeKind{changeBegan, changeAlarm}) {
		t.Errorf("changes %v", kinds)
	}
	if ended := b.clearStale(); len(ended) != 1 || ended[0].kind != changeEnded || ended[0].Ticks != 6 || len(b.list()) != 0 {
		t.Errorf("ended %+v", ended)
	}
}

// The advice fits the cause: nobody is told to make room where the files were deleted.
// waitingSpool has records that wait, and some that were sent again.
type waitingSpool struct{}

func (waitingSpool) Check() error                    { return nil }
func (waitingSpool) Append(...contract.Record) error { return nil }
func (waitingSpool) Progress() ship.Progress         { return ship.Progress{} }
func (waitingSpool) Stats() ship.Stats {
	return ship.Stats{Records: 1, OldestAge: time.Hour, LastError: "refused", LastConflict: time.Now()}
}

func TestStandingConditionsComeInOneOrder(t *testing.T) {
	p := contract.DefaultPolicy()
	p.Act.Ladder = []contract.Rung{contract.RungThrottle, contract.RungKill, contract.RungRemove}
	r := newReporter(Options{Spool: waitingSpool{}}, &loopState{policy: p})
	lasting := map[string]int{"a": p.Gates.DegradedAfter}
	over := reason.Share{Workload: contract.Workload{By: contract.Swarm, Name: "web"}, Placed: true, Replicas: 2, Places: 1}

	var got []string
	for _, c := range r.standingConditions(
		&tick{at: time.Now(), inv: &contract.Inventory{}, plan: &contract.Plan{}, futile: []string{"a"}, texts: &reason.Texts{Shares: []reason.Share{over}}},
		status{
			policyProblem: "x", crashLoops: "x", paused: lasting, unlocated: lasting, noThrottle: "x",
			stuck: []string{"a"}, ended: []string{"a"},
		}) {
		got = append(got, c.Name)
	}

	want := []string{
		ConditionPolicy, ConditionRecordsWait, ConditionConflict, ConditionNoThrottle, ConditionStuck, ConditionCrashLoop,
		ConditionFutile, ConditionPaused, ConditionManagedElsewhere, ConditionUnlocated, ConditionEnded,
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestStorageIsToldByItsCause(t *testing.T) {
	for name, tt := range map[string]struct {
		gate string
		err  error
		want string // gate
		next string
	}{
		"full spool":        {GateSpool, fmt.Errorf("x: %w", &ship.FullError{Bytes: 1, Need: 2, Max: 3}), GateSpoolFull, "start the log service"},
		"full disk":         {GateSpool, fmt.Errorf("x: %w", syscall.ENOSPC), GateSpool, "make room"},
		"quota":             {GateJournal, fmt.Errorf("x: %w", syscall.EDQUOT), GateJournal, "make room"},
		"read only":         {GateSpool, fmt.Errorf("x: %w", syscall.EROFS), GateSpool, "write below GESTOR_STATE"},
		"not permitted":     {GateJournal, fmt.Errorf("x: %w", fs.ErrPermission), GateJournal, "write below GESTOR_STATE"},
		"deleted journal":   {GateJournal, fmt.Errorf("x: %w", journal.ErrMoved), GateJournal, "goes on by itself"},
		"deleted spool":     {GateSpool, fmt.Errorf("x: %w", ship.ErrMoved), GateSpool, "goes on by itself"},
		"deleted for good":  {GateJournal, fmt.Errorf("%w: %w", journal.ErrMoved, journal.ErrFailed), GateJournal, "next start"},
		"another cause":     {GateSpool, errors.New("input/output error"), GateSpool, "check that the volume"},
		"another, journal":  {GateJournal, errors.New("input/output error"), GateJournal, "check that the volume"},
		"failed spool file": {GateSpool, fmt.Errorf("x: %w", ship.ErrFailed), GateSpool, "next start"},
	} {
		t.Run(name, func(t *testing.T) {
			c := gateCondition(storageFailure(tt.gate, tt.err))
			if c.Name != tt.want || !strings.Contains(c.Text, "; next: ") || !strings.Contains(c.Text, tt.next) || c.Title == "" {
				t.Errorf("%+v, want %s with %q", c, tt.want, tt.next)
			}
		})
	}
}
