package churn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gestor.local/contract"
	"gestor.local/generator/internal/launch"
	"gestor.local/generator/internal/plan"
)

// play runs a stage under a fake clock and returns the offsets at which starts began, in milliseconds by position.
func play(t *testing.T, s *harness) (offsets map[uint64]int64, end string) {
	t.Helper()
	began := time.Now()
	end, err := s.Run(t.Context(), began)
	if err != nil {
		t.Fatal(err)
	}
	offsets = map[uint64]int64{}
	for position, moment := range s.engine.began {
		offsets[position] = moment.Sub(began).Milliseconds()
	}
	return offsets, end
}

func outcomes(t *testing.T, s *harness) (got []string) {
	t.Helper()
	launches := s.journal.launches(t)
	for position := uint64(1); position <= uint64(len(launches)); position++ {
		body := launches[position]
		text := body.Outcome
		if body.Reason != "" {
			text += " " + body.Reason
		}
		got = append(got, text)
	}
	return got
}

func TestStartsBeginAtTheirTimeHoweverLongTheOthersTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHarness(at(0, 0, 3, 6, 9)...)
		s.engine.took = func(plan.Start) time.Duration { return 4 * time.Second }
		got, end := play(t, s)
		if diff := cmp.Diff(map[uint64]int64{1: 0, 2: 0, 3: 3000, 4: 6000, 5: 9000}, got); diff != "" || end != endPlan {
			t.Errorf("%s, offsets (-want +got):\n%s", end, diff)
		}
		for position, body := range s.journal.launches(t) {
			if body.Outcome != contract.LaunchStarted || body.TookUS != 4e6 || body.LateUS != 0 || len(body.Container) != 64 || body.Run != "run" || body.Image != "gestor/low-idle" {
				t.Errorf("record %d: %+v", position, body)
			}
		}
	})
}

func TestASlowEngineMakesStartsLateThenDropsThemAndNeverShiftsTheSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHarness(at(0, 0, 0, 0, 60)...)
		s.Parallel, s.MaxLate = 1, 15*time.Second
		s.engine.took = func(plan.Start) time.Duration { return 10 * time.Second }
		got, _ := play(t, s)
		if diff := cmp.Diff(map[uint64]int64{1: 0, 2: 10_000, 5: 60_000}, got); diff != "" {
			t.Errorf("offsets (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"started", "started", "dropped late", "dropped late", "started"}, outcomes(t, s)); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		r := s.Counter.Report(0)
		if r.Planned != 5 || r.Started != 3 || r.Dropped[dropLate] != 2 || r.UnderWay != 0 || r.Lateness.MaxUS != 10e6 {
			t.Errorf("report %+v", r)
		}
	})
}

func TestNoMoreThanMaxAliveAndMaxTotal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHarness(at(0, 1, 2, 10, 11, 12, 13)...)
		s.MaxAlive, s.MaxTotal = 2, 4
		s.engine.lifetime = func(plan.Start) time.Duration { return 9500 * time.Millisecond }
		_, end := play(t, s)
		// The first two live to 9.5 s and 10.5 s.
		want := []string{"started", "started", "dropped max_alive", "started", "started"} // four were made
		if diff := cmp.Diff(want, outcomes(t, s)); diff != "" || end != endTotal {
			t.Errorf("%s, outcomes (-want +got):\n%s", end, diff)
		}
		if s.engine.died[exitEnded] != 2 {
			t.Errorf("deaths %v", s.engine.died)
		}
	})
}

func TestFailuresAreRecordedAndCloseTheGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHarness(at(0, 1, 2, 3, 14, 15, 30)...)
		s.engine.fail = func(start plan.Start) error {
			if start.Position <= 5 {
				return &launch.Error{Cause: launch.CauseEngine, Message: "away"}
			}
			return nil
		}
		play(t, s)
		failed := "failed engine: start container: engine: away"
		want := []string{failed, failed, failed, "dropped gate_failures", failed, "dropped gate_failures", "started"}
		if diff := cmp.Diff(want, outcomes(t, s)); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		events := []string{"gate_closed", "gate_opened", "gate_closed", "gate_opened"}
		if diff := cmp.Diff(events, s.journal.events()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestAHostWithoutMemoryGetsNoContainers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHarness(at(0, 10, 20, 30)...)
		time.AfterFunc(5*time.Second, func() { s.freeKB.Store(1000) })
		time.AfterFunc(15*time.Second, func() { s.freeKB.Store(1100) }) // over the floor, not enough to open
		time.AfterFunc(25*time.Second, func() { s.freeKB.Store(2000) })
		play(t, s)
		want := []string{"started", "dropped gate_memory", "dropped gate_memory", "started"}
		if diff := cmp.Diff(want, outcomes(t, s)); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
	})
}

func TestNothingIsStartedWhileNobodyGoverns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHarness(at(0, 10, 20, 30)...)
		time.AfterFunc(5*time.Second, func() { s.away.Store(true) })
		time.AfterFunc(25*time.Second, func() { s.away.Store(false) })
		play(t, s)
		want := []string{"started", "dropped gate_manager", "dropped gate_manager", "started"}
		if diff := cmp.Diff(want, outcomes(t, s)); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"gate_closed", "gate_opened"}, s.journal.events()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestStoppingLetsStartsUnderWayEndWithinTheGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHarness(at(0, 0, 100)...)
		s.engine.took = func(start plan.Start) time.Duration { return time.Duration(start.Position) * 7 * time.Second } // 7 s and 14 s
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		time.AfterFunc(3*time.Second, cancel)
		end, err := s.Run(ctx, began)
		if end != endStopped || err != nil || time.Since(began) != 8*time.Second {
			t.Errorf("ended with %q, %v after %s, want the grace of 5 s after the stop at 3 s", end, err, time.Since(began))
		}
		got := outcomes(t, s)
		if len(got) != 2 || got[0] != "started" || got[1][:14] != "failed stopped" {
			t.Errorf("outcomes %q", got)
		}
	})
}

func TestNothingIsStartedThatCannotBeRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHarness(at(0, 10, 20, 30, 40)...)
		began := time.Now()
		s.journal.broken = func() bool { return time.Since(began) > 5*time.Second && time.Since(began) < 25*time.Second }
		play(t, s)
		// The second start is made and its record lost; the third's drop cannot be recorded either; the fourth is
		// dropped, and since that could be recorded the fifth is started.
		got := s.journal.launches(t)
		if got[1].Outcome != contract.LaunchStarted || got[4].Reason != dropUnrecorded || got[5].Outcome != contract.LaunchStarted || len(got) != 3 {
			t.Errorf("records %+v", got)
		}
		if r := s.Counter.Report(0); r.Started != 3 || r.Dropped[dropUnrecorded] != 2 {
			t.Errorf("report %+v", r)
		}
	})
}

func TestAPlanThatCannotBeMadeEndsTheRun(t *testing.T) {
	s := newHarness()
	s.Windows = broken{}
	if _, err := s.Run(t.Context(), time.Now()); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

var errBroken = errors.New("no plan")

type broken struct{}

func (broken) Next() (plan.Plan, bool, error) { return plan.Plan{}, false, errBroken }

// script is what happens in one property run, drawn before the clock is faked.
type script struct {
	Starts   []plan.Start
	Took     []time.Duration
	Life     []time.Duration
	Fails    []bool
	MaxAlive int
	Parallel int
	MaxLate  time.Duration
	StopAt   time.Duration
}

func drawScript(t *rapid.T) script {
	offsets := rapid.SliceOfN(rapid.Int64Range(0, 60), 1, 60).Draw(t, "offsets")
	slices.Sort(offsets)
	n := len(offsets)
	ms := func(name string, high int64) []time.Duration {
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.Int64Range(0, high).Draw(t, "ms")) * time.Millisecond
		}), n, n).Draw(t, name)
	}
	return script{
		Starts: at(offsets...), Took: ms("took", 15_000), Life: ms("life", 30_000),
		Fails:    rapid.SliceOfN(rapid.Bool(), n, n).Draw(t, "fails"),
		MaxAlive: rapid.IntRange(1, 10).Draw(t, "max alive"), Parallel: rapid.IntRange(1, 5).Draw(t, "parallel"),
		MaxLate: time.Duration(rapid.IntRange(1, 20).Draw(t, "max late")) * time.Second,
		StopAt:  time.Duration(rapid.IntRange(0, 80).Draw(t, "stop at")) * time.Second,
	}
}

// Whatever the engine does and whenever the run is stopped: the caps hold, no start begins early or too late, and every
// start whose time came has exactly one record and one place in the report.
func TestBoundsHoldWhateverHappens(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		sc := drawScript(rt)
		var failure error
		synctest.Test(t, func(t *testing.T) { failure = sc.play(t) })
		if failure != nil {
			rt.Fatal(failure)
		}
	})
}

func (sc script) play(t *testing.T) error {
	s := newHarness(sc.Starts...)
	s.MaxAlive, s.Parallel, s.MaxLate = sc.MaxAlive, sc.Parallel, sc.MaxLate
	s.engine.took = func(start plan.Start) time.Duration { return sc.Took[start.Position-1] }
	s.engine.lifetime = func(start plan.Start) time.Duration { return sc.Life[start.Position-1] }
	s.engine.fail = func(start plan.Start) error {
		if sc.Fails[start.Position-1] {
			return &launch.Error{Cause: launch.CauseRefused}
		}
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	time.AfterFunc(sc.StopAt, cancel)
	began := time.Now()
	if _, err := s.Run(ctx, began); err != nil {
		return err
	}
	if s.engine.most > sc.MaxAlive || s.engine.mostWay > sc.Parallel {
		return fmt.Errorf("%d alive and %d under way, allowed %d and %d", s.engine.most, s.engine.mostWay, sc.MaxAlive, sc.Parallel)
	}
	for position, moment := range s.engine.began {
		late := moment.Sub(began.Add(sc.Starts[position-1].Offset()))
		if late < 0 || late > sc.MaxLate {
			return fmt.Errorf("position %d began %s late", position, late)
		}
	}
	return sc.account(t, s)
}

func (sc script) account(t *testing.T, s *harness) error {
	r := s.Counter.Report(0)
	failed, dropped := uint64(0), uint64(0)
	for _, n := range r.Failed {
		failed += n
	}
	for _, n := range r.Dropped {
		dropped += n
	}
	records := s.journal.launches(t)
	if r.UnderWay != 0 || r.Started+failed+dropped != r.Planned || uint64(len(records)) != r.Planned {
		return fmt.Errorf("%d records for %+v", len(records), r)
	}
	for position := uint64(1); position <= r.Planned; position++ {
		if _, ok := records[position]; !ok {
			return fmt.Errorf("position %d of %d has no record", position, r.Planned)
		}
	}
	return nil
}
