package page

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/chart/charttest"
)

const (
	low, high = contract.ClassLow, contract.ClassHigh
	stays     = contract.ReasonWithinQuota
	over      = contract.ReasonOverQuota
	young     = contract.ReasonYoung
)

// full are the containers of all places.
func full(more ...contract.ContainerBody) []contract.ContainerBody {
	return slices.Concat(containersOf("a", 3, low, stays), containersOf("b", 2, high, stays), more)
}

func read(t *testing.T, s *scene) pageData {
	t.Helper()
	p, err := readPageData(t.Context(), &s.memorySource, "")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// An orchestrator's container that has a place is not what stands above the places: the manager warns of none then.
func TestAnOrchestratorsInItsPlaceIsNotBlamed(t *testing.T) {
	s := newScene()
	s.addTick(slices.Concat(containersOf("a", 1, low, stays), containersOf("b", 2, high, stays), containersOf("c", 1, low, contract.ReasonElsewhere), containersOf("f", 2, low, contract.ReasonFutile))...)
	v := verdictOf(read(t, s))
	if !strings.HasPrefix(v.Detail, "1 low above the places.") || strings.Contains(v.Detail, "orchestrator") {
		t.Error(v.Detail)
	}
}

func TestVerdictIsTheFirstThingRead(t *testing.T) {
	for _, c := range []struct {
		name                    string
		play                    func(s *scene)
		state, headline, detail string
	}{
		{"empty store", func(*scene) {}, "empty", "No records yet", "tick"},
		{"settled", func(s *scene) { s.addTick(full()...) }, "settled", "Settled: 3 low, 2 high", "Nobody leaves in the next round. 5 are kept in 5 places."},
		{
			"removals are under way", func(s *scene) { s.addTick(full(containersOf("c", 4, low, over)...)...) },
			"settling", "Settling: 7 low, 2 high", "4 are leaving. Nobody leaves in the next round. 5 are kept",
		},
		{
			"removals are done", func(s *scene) {
				s.addTick(full(containersOf("c", 2, low, over)...)...)
				s.wait(time.Second)
				s.addAction("c0", contract.ActionRemove, contract.PhaseOutcome, contract.OutcomeDone)
				s.addAction("c1", contract.ActionRemove, contract.PhaseOutcome, contract.OutcomeAlreadyGone)
			},
			"settled", "Settled: 3 low, 2 high", "Nobody leaves",
		},
		{
			"newcomers wait", func(s *scene) { s.addTick(full(containersOf("c", 2, low, young)...)...) },
			"settling", "Settling: 5 low, 2 high", "About 2 leave in the next round. 5 are kept in 5 places. 2 newcomers are judged in the next round.",
		},
		{
			"newcomers since the tick are judged a round later", func(s *scene) {
				s.addTick(full()...)
				s.wait(2 * time.Second)
				s.addLaunch("d1", low, 0)
			},
			"settling", "Settling: 4 low, 2 high", "Nobody leaves in the next round. 5 are kept in 5 places. 1 newcomer is judged a round later.",
		},
		{
			"the engine does not remove", func(s *scene) {
				s.addTick(full(containersOf("c", 1, high, over)...)...)
				s.addAction("c0", contract.ActionRemove, contract.PhaseOutcome, contract.OutcomeFailed)
			},
			"over", "Over: 3 low, 3 high", "1 high above the places. The engine did not remove high-c0: device busy.",
		},
		{"stuck", func(s *scene) { s.addTick(full(containerOf("c", high, contract.ReasonStuck, 0))...) }, "over", "Over: 3 low, 3 high", "The engine did not remove high-c."},
		{
			"an orchestrator keeps too many", func(s *scene) { s.addTick(full(containersOf("c", 2, low, contract.ReasonElsewhere)...)...) },
			"over", "Over: 5 low, 2 high", "2 low above the places. 2 are an orchestrator's and stay: only it can end them, as the warning managed_elsewhere says.",
		},
		{
			"an orchestrator's in places that are left", func(s *scene) {
				s.addTick(slices.Concat(containersOf("a", 1, low, stays), containersOf("b", 2, high, stays), containersOf("c", 2, low, contract.ReasonElsewhere))...)
			},
			"settled", "Settled: 3 low, 2 high", "Nobody leaves in the next round. 5 are kept in 5 places.",
		},
		{
			"an orchestrator's task has ended", func(s *scene) {
				exited := containerOf("c", low, contract.ReasonElsewhere, 0)
				exited.State = contract.StateExited
				s.addTick(full(exited)...)
			},
			"settled", "Settled: 3 low, 2 high", "Nobody leaves",
		},
		{
			"a newcomer beside an orchestrator's", func(s *scene) {
				s.addTick(slices.Concat(containersOf("a", 2, low, stays), containersOf("b", 2, high, stays), containersOf("c", 1, low, contract.ReasonElsewhere), containersOf("d", 1, low, young))...)
			},
			"settling", "Settling: 4 low, 2 high", "Nobody leaves in the next round. 5 are kept in 5 places. 1 newcomer is judged in the next round.",
		},
		{
			"a newcomer beside one that comes back each time", func(s *scene) {
				s.addTick(slices.Concat(containersOf("a", 2, low, stays), containersOf("b", 2, high, stays), containersOf("c", 1, low, contract.ReasonFutile), containersOf("d", 1, low, young))...)
			},
			"settling", "Settling: 4 low, 2 high", "Nobody leaves in the next round.",
		},
		{"spared by a cap", func(s *scene) { s.addTick(full(containerOf("c", low, contract.ReasonCapped, 4))...) }, "over", "Over: 4 low, 2 high", "1 are spared by a cap"},
		{
			"the next try is under way", func(s *scene) {
				s.addTick(full(containersOf("c", 1, high, over)...)...)
				s.addAction("c0", contract.ActionRemove, contract.PhaseOutcome, contract.OutcomeFailed)
				s.wait(10 * time.Second)
				s.tick++
				s.addAction("c0", contract.ActionRemove, contract.PhaseIntent, "")
				s.tick--
				s.addTick(full(containersOf("c", 1, high, over)...)...)
			},
			"settling", "Settling: 3 low, 3 high", "1 is leaving",
		},
		{
			"observe removes nothing", func(s *scene) {
				s.mode = contract.ModeObserve
				s.addTick(full(containersOf("c", 2, low, over)...)...)
			},
			"over", "Over: 5 low, 2 high", "2 low above the places. Mode observe: no container is touched.",
		},
		{
			"a surprise is held", func(s *scene) {
				s.heldReason = contract.HeldSurprise
				s.addTick(full(containersOf("c", 2, low, over)...)...)
			},
			"over", "Over: 5 low, 2 high", "2 were to leave, and the plan was not carried out (surprise)",
		},
		{
			"a surprise of a record without the word", func(s *scene) {
				s.tick++
				s.addAction("c0", contract.ActionShadowRemove, contract.PhaseIntent, "")
				s.tick--
				s.addTick(full(containersOf("c", 1, low, over)...)...)
				s.addAction("c0", contract.ActionShadowRemove, contract.PhaseOutcome, contract.OutcomeDone)
			},
			"over", "Over: 4 low, 2 high", "1 were to leave",
		},
		{
			"a throttle takes nobody away", func(s *scene) {
				s.addTick(full(containersOf("c", 1, low, over)...)...)
				s.addAction("c0", contract.ActionThrottle, contract.PhaseOutcome, contract.OutcomeDone)
			},
			"settling", "Settling: 4 low, 2 high", "1 is leaving",
		},
		{
			"a policy of version 2", func(s *scene) {
				s.mode, s.heldReason = contract.ModeObserve, contract.HeldObserve
				s.addRuledTick(ruledOf("a", "keep"), ruledOf("b", "remove"), ruledOf("c", "stop"))
			},
			"observed", "Observed: 3 own containers", "A step of a rule is due for 2 of those that run, and is only shown (observe). Of its places 1 are held, and 2 have none. Mode observe: no container is touched.",
		},
		{
			"a policy of version 2 that is carried out", func(s *scene) {
				s.addRuledTick(ruledOf("a", "keep"), ruledOf("b", "throttle"))
			},
			"settling", "Settling: 2 own containers", "A step of a rule is due for 1 of those that run. Of its places 1 are held, and 1 have none.",
		},
		{
			"a policy of version 2 with nothing to do", func(s *scene) { s.addRuledTick(ruledOf("a", "keep")) },
			"settled", "Settled: 1 own container", "A step of a rule is due for 0 of those that run. Of its places 1 are held, and 0 have none.",
		},
		{
			"a policy of version 2 that nobody has approved", func(s *scene) {
				s.heldReason = "unapproved"
				s.addRuledTick(ruledOf("a", "stop"))
			},
			"observed", "Observed: 1 own container", "is due for 1 of those that run, and is only shown (unapproved).",
		},
		{
			"a policy of version 2 behind a gate", func(s *scene) {
				s.gates = []string{"stale"}
				s.addRuledTick(ruledOf("a", "keep"))
			},
			"holding", "Holding: 1 own container", "stale",
		},
		{"places are free", func(s *scene) { s.addTick(containersOf("a", 2, low, stays)...) }, "short", "Short: 2 low, 0 high", "1 of 3 low, 2 of 2 high"},
		{
			"a gate is closed", func(s *scene) {
				s.gates = []string{"stale"}
				s.addTick(full(containersOf("c", 2, low, over)...)...)
			},
			"holding", "Holding: 5 low, 2 high", "stale",
		},
		{
			"nothing is seen", func(s *scene) {
				s.addTick(full()...)
				s.wait(10 * time.Second)
				s.addBlindTick("no_source", "inventory")
			},
			"blind", "Gestor cannot see the containers. Nothing is removed.", "last seen at 10:00:00 (3 low, 2 high); the number now is not known",
		},
		{"nothing was ever seen", func(s *scene) { s.addBlindTick("no_source") }, "blind", "Gestor cannot see", "How many run is not known"},
		{
			"the manager was stopped", func(s *scene) {
				s.addTick(full(containersOf("c", 1, low, over)...)...)
				s.wait(time.Second)
				s.addEvent("manager", "stop", "info", "the manager stops")
			},
			"stopped", "Manager stopped at 10:00:01: nothing is being removed", "Who is below was seen at 10:00:00",
		},
		{
			"the manager was stopped by a fault", func(s *scene) {
				s.addTick(full()...)
				s.addEvent("manager", "stop", "error", "the manager stops: disk gone")
			},
			"stopped", "Manager stopped", "It said: the manager stops: disk gone",
		},
		{
			"the manager was started again", func(s *scene) {
				s.addEvent("manager", "stop", "info", "the manager stops")
				s.wait(time.Second)
				s.addEvent("manager", "start", "info", "")
				s.addTick(full()...)
			},
			"settled", "Settled", "",
		},
		{
			"another service was stopped", func(s *scene) {
				s.addTick(full()...)
				s.addEvent("generator", "stop", "info", "the run is over")
			},
			"settled", "Settled", "",
		},
		{
			"slow ticks", func(s *scene) {
				s.addTick(full()...)
				s.wait(2 * time.Minute)
				s.addTick(full()...)
				s.wait(5 * time.Minute)
			},
			"settled", "Settled", "",
		},
		{
			"no plan", func(s *scene) { s.emit("manager", contract.HostBody{}) },
			"empty", "Waiting for the manager", "policy",
		},
		{
			"silence", func(s *scene) {
				s.addTick(full()...)
				s.wait(5 * time.Minute)
			},
			"stale", "No news for 5 min", "seen at 10:00:00 (3 low, 2 high)",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene()
			c.play(s)
			v := read(t, s).Verdict
			if v.State != c.state || !strings.Contains(v.Headline, c.headline) || !strings.Contains(v.Detail, c.detail) {
				t.Errorf("got %s: %s / %s", v.State, v.Headline, v.Detail)
			}
		})
	}
}

// A run of the simulator, looked at whenever something happened: the headline's numbers are those that live.
func TestTheHeadlineIsWhoLives(t *testing.T) {
	records := charttest.Run{Start: epoch(), Length: 5 * time.Minute, Seed: 3}.Records()
	slices.SortStableFunc(records, func(a, b contract.Record) int { return a.Time.Compare(b.Time) })
	alive := map[string]contract.Class{}

	for i, r := range records {
		switch b := r.Body.(type) {
		case contract.LaunchBody:
			alive[b.Container] = b.Class
		case contract.ActionBody:
			if b.Removed() {
				delete(alive, b.Container)
			}
		default:
			continue
		}
		n := map[contract.Class]int{}
		for _, class := range alive {
			n[class]++
		}
		if i+1 < len(records) && records[i+1].Time.Equal(r.Time) || !slices.ContainsFunc(records[:i], isHost) {
			continue
		}
		p, err := readPageData(t.Context(), &memorySource{records: records[:i+1], now: r.Time.Add(time.Second)}, "")
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("%d low, %d high", n[low], n[high]); !strings.HasSuffix(p.Verdict.Headline, want) {
			t.Fatalf("%s: %q, want %s", r.Time, p.Verdict.Headline, want)
		}
		if p.AsOf.Before(r.Time) {
			t.Fatalf("as of %s, but something happened at %s", p.AsOf, r.Time)
		}
	}
}

// A tick that falls between a container's making and its start saw it made only.
func TestWhoStartedAfterTheTickThatSawItMadeLives(t *testing.T) {
	s := newScene()
	made := containerOf("n1", low, contract.ReasonNotRunning, 0)
	made.State = "created"
	s.addTick(full(made)...)
	s.wait(time.Second)
	s.addLaunch("n1", low, 0)
	if p := read(t, s); p.Verdict.Headline != "Settling: 4 low, 2 high" {
		t.Errorf("after the start: %s", p.Verdict.Headline)
	}
	s.wait(time.Second)
	s.addAction("n1", contract.ActionRemove, contract.PhaseOutcome, contract.OutcomeDone)
	if p := read(t, s); p.Verdict.Headline != "Settled: 3 low, 2 high" {
		t.Errorf("after its removal: %s", p.Verdict.Headline)
	}
}

func isHost(r contract.Record) bool { return r.Kind == contract.KindHost }

func TestAPlannedEndIsAnEnd(t *testing.T) {
	s := newScene()
	s.wait(-20 * time.Second)
	s.addLaunch("a0", low, 25)
	s.addLaunch("d0", low, 26)
	s.wait(20 * time.Second)
	s.addTick(full()...)
	s.wait(2 * time.Second)
	s.addLaunch("d1", high, 3)
	if p := read(t, s); p.Alive != 6 || !p.Due.Equal(epoch().Add(5*time.Second)) {
		t.Errorf("%d live, the next ends at %s", p.Alive, p.Due)
	}
	s.wait(4 * time.Second) // both have come to their end
	if p := read(t, s); p.Alive != 4 || !strings.Contains(p.Verdict.Headline, "2 low, 2 high") {
		t.Errorf("%d live: %s", p.Alive, p.Verdict.Headline)
	}
	s.wait(4 * time.Second)
	s.addTick(full()...) // it lives on all the same
	if p := read(t, s); p.Alive != 5 {
		t.Errorf("%d live: %s", p.Alive, p.Verdict.Headline)
	}
}

func TestWhatAwaitsAContainer(t *testing.T) {
	for name, c := range map[string]struct {
		play func(s *scene)
		want string
	}{
		"leaving": {func(s *scene) { s.addTick(containerOf("c", low, over, 4)) }, "leaving: over the quota of its class"},
		"held": {func(s *scene) {
			s.heldReason = contract.HeldSurprise
			s.addTick(containerOf("c", low, over, 4))
		}, "not acted on: over the quota of its class"},
		"gated": {func(s *scene) {
			s.gates = []string{"unsettled"}
			s.addTick(containerOf("c", low, over, 4))
		}, "not acted on: over the quota of its class"},
		"shadow": {func(s *scene) {
			s.mode = contract.ModeShadow
			s.addTick(containerOf("c", low, over, 4))
		}, "not acted on: over the quota of its class"},
		"shadow, on later rounds": {func(s *scene) {
			s.mode = contract.ModeShadow
			s.addTick(containerOf("c", low, contract.ReasonShadowRemoved, 0))
		}, "not acted on: removed in shadow only: it runs on"},
		"failed": {func(s *scene) {
			s.addTick(containerOf("c", low, over, 4))
			s.addAction("c", contract.ActionRemove, contract.PhaseOutcome, contract.OutcomeFailed)
		}, "could not be removed: device busy"},
		"refused": {func(s *scene) {
			s.addTick(containerOf("c", low, over, 4))
			s.addAction("c", contract.ActionRemove, contract.PhaseOutcome, contract.OutcomeRefused)
		}, "not acted on: over the quota of its class"},
		"young": {func(s *scene) { s.addTick(containerOf("c", low, young, 0)) }, "new: judged in the next round"},
		"stopped": {func(s *scene) {
			s.addTick(containerOf("c", low, over, 4))
			s.addEvent("manager", "stop", "info", "")
		}, "was to leave"},
		"blind": {func(s *scene) {
			s.addTick(containerOf("c", low, young, 0))
			s.wait(10 * time.Second)
			s.addBlindTick("no_source")
		}, "not judged"},
		"last in line": {func(s *scene) { s.addTick(containerOf("c", low, stays, 3), containerOf("d", low, young, 0)) }, "kept, last in line: next to go if a better one matures"},
		"elsewhere":    {func(s *scene) { s.addTick(containerOf("c", low, contract.ReasonElsewhere, 0)) }, "kept: an orchestrator's, which would start another"},
		"flood":        {func(s *scene) { s.addTick(containerOf("c", low, contract.ReasonFutile, 0)) }, "kept: comes back each time"},
	} {
		s := newScene()
		c.play(s)
		if got := read(t, s).Rows[0].NextAction; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// What only the shadow removed runs on, and is counted as long as it does.
func TestShadowHidesNobody(t *testing.T) {
	s := newScene()
	s.mode = contract.ModeShadow
	staying := containersOf("a", 3, low, stays)
	s.addTick(append(staying, containerOf("b", low, over, 4), containerOf("c", low, over, 5))...)
	s.wait(10 * time.Second)
	s.addTick(append(staying, containerOf("b", low, contract.ReasonShadowRemoved, 0), containerOf("c", low, contract.ReasonShadowRemoved, 0))...)

	p := read(t, s)
	if p.Verdict.State != stateOver || !strings.HasPrefix(p.Verdict.Headline, "Over: 5 low") || !strings.HasSuffix(p.Verdict.Detail, " Mode shadow: no container is touched.") {
		t.Errorf("%s: %s %s", p.Verdict.State, p.Verdict.Headline, p.Verdict.Detail)
	}
	if c := p.Classes[0]; c.Alive != 5 || c.Kept != 3 || c.Shadow != 2 || c.Over() != 2 {
		t.Errorf("%+v", c)
	}
}

func TestWhatIsNotKnownIsNotNothing(t *testing.T) {
	s := newScene()
	s.addTick(full()...)
	for range 40 {
		s.wait(10 * time.Second)
		s.addBlindTick("no_source", "inventory")
	}
	h, _ := serve(t, &s.memorySource)
	page := get(t, h, "/").Body.String()
	for _, want := range []string{"last seen 10:00:00", "not known", "low-a0", "Containers last seen", `class="card seen" id="containers"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for _, wrong := range []string{"0 <small>governed", ">0 B<", "0 low", "Containers now"} {
		if strings.Contains(page, wrong) {
			t.Errorf("the page says %q", wrong)
		}
	}
}

// Two hosts tick by turns, records mixed: the page is of one of them, whole, and says which.
func TestAPageIsOfOneHost(t *testing.T) {
	a, b := newScene(), newScene()
	b.host, b.boot = "node2", "c"
	s := &memorySource{now: epoch()}
	for range 3 {
		a.wait(10 * time.Second)
		b.now = a.now.Add(20 * time.Millisecond)
		a.records, b.records = nil, nil
		a.addTick(full()...)
		b.addTick(full(containersOf("e", 3, low, over)...)...)
		for i := range max(len(a.records), len(b.records)) {
			for _, one := range []*scene{a, b} {
				if i < len(one.records) {
					s.records = append(s.records, one.records[i])
				}
			}
		}
	}
	s.now = b.now
	h, _ := serve(t, s)
	for path, want := range map[string]struct {
		host, headline string
		rows           int
	}{
		"":            {"node1", "Settled: 3 low, 2 high", 5},
		"?host=node1": {"node1", "Settled: 3 low, 2 high", 5},
		"?host=node2": {"node2", "Settling: 6 low, 2 high", 8},
		"?host=node9": {"node9", "No record of host node9", 0},
	} {
		p, err := readPageData(t.Context(), s, strings.TrimPrefix(path, "?host="))
		if err != nil {
			t.Fatal(err)
		}
		if p.HostID != want.host || p.Verdict.Headline != want.headline || len(p.Rows) != want.rows {
			t.Errorf("%s: %s, %q, %d rows", path, p.HostID, p.Verdict.Headline, len(p.Rows))
		}
		page := get(t, h, "/now"+path).Body.String()
		for _, other := range []string{"node1", "node2"} {
			if link := `href="/?host=` + other + `"`; strings.Contains(page, link) == (other == want.host) {
				t.Errorf("%s: the link to %s", path, other)
			}
		}
		if strings.Count(page, "<td>node2</td>") == 0 {
			t.Errorf("%s: the decisions do not say their host", path)
		}
	}

	s.now = s.now.Add(time.Minute) // node1 falls silent: a page without a wish is of the one that ticks
	b.records, b.now = nil, s.now
	b.addTick(full()...)
	s.records = append(s.records, b.records...)
	if p, err := readPageData(t.Context(), s, ""); err != nil || p.HostID != "node2" || len(p.Hosts) != 2 {
		t.Errorf("the page is of %q of %v, %v", p.HostID, p.Hosts, err)
	}
	if page := get(t, h, "/now").Body.String(); !strings.Contains(page, "node1</a> (no news for 1 min)") {
		t.Error("a host that says nothing is not seen to say nothing")
	}
}

func TestOneHostIsNoChoice(t *testing.T) {
	s := newScene()
	s.addTick(full(containersOf("c", 1, low, over)...)...)
	h, _ := serve(t, &s.memorySource)
	if page := get(t, h, "/").Body.String(); strings.Contains(page, "?host=") || strings.Contains(page, "<th>Host") || !strings.Contains(page, "node1") {
		t.Error("a page of the only host offers others, or does not name its own")
	}
}

// A condition of one host does not end with a start, or with the end of a condition of that name, on another.
func TestAConditionEndsOnItsOwnHost(t *testing.T) {
	s := newScene()
	s.emit("manager", contract.SystemBody{Event: "condition_begin", Level: "warn", Details: map[string]any{"condition": "engine"}})
	s.addTick(full()...)
	s.host = "node2"
	s.addEvent("manager", "start", "info", "")
	s.emit("manager", contract.SystemBody{Event: "condition_end", Level: "info", Details: map[string]any{"condition": "engine"}})
	s.host = "logs-container"
	s.emit("logs", contract.SystemBody{Event: "condition_begin", Level: "warn", Details: map[string]any{"condition": "disk_full"}})
	var names []string
	for _, a := range read(t, s).Alerts {
		names = append(names, a.Name())
	}
	if want := []string{"disk_full", "engine"}; !slices.Equal(names, want) {
		t.Errorf("alerts %q, want %q", names, want)
	}
}

// A policy that was refused is told by the condition, which ends when the file is right again.
func TestARefusedPolicyIsToldWhileItIsRefused(t *testing.T) {
	s := newScene()
	s.addTick(full()...)
	refused := map[string]any{"condition": "policy_refused"}
	s.addEvent("manager", "policy_rejected", "error", "refused:\nline 2")
	s.emit("manager", contract.SystemBody{Event: "condition_begin", Level: "warn", Message: "refused:\nline 2", Details: refused})
	if p := read(t, s); len(p.Alerts) != 1 || p.Alerts[0].Name() != "policy_refused" {
		t.Errorf("refused: %v", p.Alerts)
	}
	h, _ := serve(t, &s.memorySource)
	if page := get(t, h, "/").Body.String(); !strings.Contains(page, "refused: line 2") {
		t.Error("the end of a line is no blank")
	}
	s.emit("manager", contract.SystemBody{Event: "condition_end", Level: "info", Details: refused})
	if p := read(t, s); len(p.Alerts) != 0 {
		t.Errorf("put right: %v", p.Alerts)
	}
}

// What is not as it should be with the log service is seen for as long as it is so, and once.
func TestThePageTellsWhatTheLogServiceLacks(t *testing.T) {
	p := pageData{Alerts: []alert{
		{SystemBody: contract.SystemBody{Event: "segment_missing", Message: "file 7 is gone"}},
		{SystemBody: contract.SystemBody{Event: "torn_tail", Message: "another"}},
		{SystemBody: contract.SystemBody{Event: "disk_full", Message: "2 KiB free"}},
	}}
	p.addOwnConditions(map[string]string{"rollup": "no sums", "disk_full": "1 KiB free", "missing": "file 7 is gone; bring it back"})
	var names []string
	for _, a := range p.Alerts {
		names = append(names, a.Name())
	}
	if want := []string{"disk_full", "missing", "rollup", "torn_tail"}; !slices.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
}

func TestCellsAreBounded(t *testing.T) {
	m := classMeters([]classSummary{{Class: low, Quota: 3, Alive: 500, Counted: 500, Places: true}, {Class: high, Quota: 2, Places: true}})
	if len(m[0].Cells) != maxCells || m[0].More != 500-maxCells || m[0].Cells[3] != (meterCell{Kind: "above", Cut: true}) {
		t.Errorf("%d cells and %d more: %v", len(m[0].Cells), m[0].More, m[0].Cells)
	}
	if got := m[1].Cells; len(got) != 2 || got[0].Kind != "empty" {
		t.Errorf("empty places: %v", got)
	}
}
