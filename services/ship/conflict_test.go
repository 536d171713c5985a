package ship

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/ship/shiptest"
)

// run sends everything, as Run does, and ends.
func run(t *testing.T, s *Shipper) {
	t.Helper()
	synctest.Wait()
	flush(t, s)
}

// copyOf is a copy of the spool's folder as it is now.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	must(t, os.CopyFS(to, os.DirFS(dir)))
	return to
}

func uniqueIdentities(t *testing.T, service *shiptest.Service) {
	t.Helper()
	seen := map[string]bool{}
	for _, r := range service.Records() {
		key := fmt.Sprint(r.Boot, " ", r.PSeq)
		if seen[key] {
			t.Errorf("%s stands for two records", key)
		}
		seen[key] = true
	}
}

// An older copy of the spool gives numbers that the log service knows: what it calls duplicates arrives all the same.
func TestAnOlderCopyOfTheSpoolLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var service shiptest.Service
		s := open(t, t.TempDir(), &service)
		appendAll(t, s, launch(1), host(), launch(2))
		run(t, s)
		older := copyOf(t, s.cfg.Dir)
		for n := range uint64(300) {
			appendAll(t, s, launch(100+n), host())
		}
		run(t, s)
		_ = s.Close()

		s = open(t, older, &service)
		for n := range uint64(500) {
			appendAll(t, s, launch(1000+n), host())
		}
		run(t, s)
		got := positions(&service)
		for n := range uint64(500) {
			if count := len(slices.DeleteFunc(slices.Clone(got), func(p uint64) bool { return p != 1000+n })); count != 1 {
				t.Fatalf("position %d arrived %d times", 1000+n, count)
			}
		}
		if hosts := len(service.Records()) - len(got); hosts != 801+1 { // and the report
			t.Errorf("%d observations and reports arrived, want 802", hosts)
		}
		uniqueIdentities(t, &service)
		if diff := cmp.Diff([]string{EventConflict}, systemEvents(&service)); diff != "" {
			t.Errorf("reports (-want +got):\n%s", diff)
		}
		if st := s.Stats(); st.Conflicts == 0 || st.LastConflict.IsZero() || st.LastError != "" || st.Records != 0 {
			t.Errorf("stats %+v", st)
		}
	})
}

// So does a neighbour that has stored records under the spool's identity, ahead of it.
func TestANeighbourUnderTheSameIdentityHidesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var service shiptest.Service
		s := open(t, t.TempDir(), &service)
		appendAll(t, s, launch(1))
		run(t, s)
		neighbour := open(t, copyOf(t, s.cfg.Dir), &service)
		neighbour.spool.last += 3 // leaves a gap
		for n := range uint64(20) {
			appendAll(t, neighbour, launch(100+n))
		}
		run(t, neighbour)

		for n := range uint64(40) {
			appendAll(t, s, launch(1000+n))
		}
		run(t, s)
		want := []uint64{1}
		for n := range uint64(20) {
			want = append(want, 100+n)
		}
		for n := range uint64(40) {
			want = append(want, 1000+n)
		}
		got := positions(&service)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("positions (-want +got):\n%s", diff)
		}
	})
}

// A log service that was away, or that refused, has stored nothing: what is a duplicate after that is a conflict still.
func TestAConflictIsFoundBehindFailures(t *testing.T) {
	away := func(_ *shiptest.Service, _ http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }
	for name, tt := range map[string]struct {
		fault shiptest.Fault
		found bool
	}{
		"refused":      {shiptest.Status(http.StatusServiceUnavailable, ""), true},
		"no room":      {shiptest.Status(http.StatusInsufficientStorage, ""), true},
		"answer lost":  {shiptest.LostAnswer, false}, // nobody can say
		"broken":       {away, false},
		"its own bug":  {shiptest.Status(http.StatusInternalServerError, ""), false},
		"another host": {shiptest.Foreign(http.StatusBadGateway), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var service shiptest.Service
				s := open(t, t.TempDir(), &service)
				older := copyOf(t, s.cfg.Dir)
				appendAll(t, s, launch(1), launch(2))
				run(t, s)
				s = open(t, older, &service)
				appendAll(t, s, launch(11), launch(12))
				service.Fail(tt.fault)
				run(t, s)
				if found := s.Stats().Conflicts > 0; found != tt.found {
					t.Errorf("conflict found: %t, want %t", found, tt.found)
				}
			})
		})
	}
}

func TestADialThatFailedHasSentNothing(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{nil, true},
		{context.DeadlineExceeded, true},
		{fmt.Errorf("x: %w", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), false},
		{fmt.Errorf("x: %w", &net.OpError{Op: "read", Err: syscall.ECONNRESET}), true},
	} {
		if got := mayHaveArrived(tt.err); got != tt.want {
			t.Errorf("%v: %t", tt.err, got)
		}
	}
}

// The change of identity may be cut off at every step: it is brought to its end, nothing is lost, nothing comes twice.
func TestAnIdentityChangeSurvivesACrash(t *testing.T) {
	for _, step := range []string{"before the state", "after the state", "half renamed", "before the state forgets"} {
		t.Run(step, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var service shiptest.Service
				s := open(t, t.TempDir(), &service)
				older := copyOf(t, s.cfg.Dir)
				appendAll(t, s, launch(1), launch(2), launch(3), launch(4))
				run(t, s)
				s = open(t, older, &service)
				for n := range uint64(8) {
					appendAll(t, s, launch(11+n))
				}
				b, err := s.nextBatch()
				must(t, err)
				result, err := s.sender.send(t.Context(), b.lines)
				must(t, err)
				taken := b.conflicting(s.spool.lastAtOpen, result)
				if len(taken) != 4 {
					t.Fatalf("%d conflicting, want four", len(taken))
				}
				next := s.spool.state
				next.Spool, next.Again = newID(), append(ranges(taken), [2]uint64{b.last + 1, s.spool.last})
				if step == "before the state" {
					must(t, s.spool.conflict(b, taken)) // nobody can know after a crash
				} else {
					must(t, s.spool.saveState(next))
				}
				if step == "half renamed" {
					must(t, b.items[0].segment.setID(b.items[0].entry, next.Spool))
				}
				if step == "before the state forgets" {
					must(t, s.spool.renumber())
					must(t, s.spool.saveState(next))
				}
				s.spool.close() // dies
				s = open(t, older, &service)
				run(t, s)
				got := positions(&service)
				slices.Sort(got)
				if diff := cmp.Diff([]uint64{1, 2, 3, 4, 11, 12, 13, 14, 15, 16, 17, 18}, got); diff != "" {
					t.Errorf("positions (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A copy of the data folder that is taken while everything runs holds all that was there when it was begun, whichever part
// is read first; and what comes after it is restored arrives.
func TestACopyTakenWhileRunningRestoresWithoutLoss(t *testing.T) {
	for _, stateFirst := range []bool{true, false} {
		for sent := range 1 << 4 { // a bit for each part of the story
			synctest.Test(t, func(t *testing.T) {
				if failure := restore(t, stateFirst, sent); failure != "" {
					t.Errorf("state copied first: %t, sent %04b: %s", stateFirst, sent, failure)
				}
			})
		}
	}
}

func restore(t *testing.T, stateFirst bool, sent int) (failure string) {
	service := &shiptest.Service{}
	s := open(t, t.TempDir(), service)
	var position, before uint64
	live := func(part int) {
		for range 3 {
			position++
			appendAll(t, s, host(), launch(position))
		}
		if sent>>part&1 == 1 {
			run(t, s)
		}
	}
	var dir string
	var records *shiptest.Service
	copyState := func() { dir = copyOf(t, s.cfg.Dir) }
	copyRecords := func() { records = service.Copy() }
	first, second := copyState, copyRecords
	if !stateFirst {
		first, second = copyRecords, copyState
	}
	live(0)
	before = position
	first()
	live(1)
	second()
	live(2)
	_ = s.Close()

	s = open(t, dir, records)
	position += 1000 // told apart
	after := position
	live(3)
	run(t, s)
	_ = s.Close()
	arrived := map[uint64]int{}
	for _, p := range positions(records) {
		arrived[p]++
	}
	for p, n := range arrived {
		if n > 1 {
			return fmt.Sprintf("position %d arrived %d times", p, n)
		}
	}
	for p := uint64(1); p <= position; p++ {
		if (p <= before || p > after) && arrived[p] != 1 {
			return fmt.Sprintf("position %d of %d (%d before the copy) is lost", p, position, before)
		}
	}
	return ""
}

// What arrived stays for a while, gives way to what waits, and does not pile up.
func TestWhatArrivedIsKeptForAWhileAndGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var service shiptest.Service
		s := open(t, t.TempDir(), &service, small)
		fill := func(n int) {
			must(t, s.Append(slices.Repeat([]contract.Record{launch(1), host()}, n)...))
			run(t, s)
		}
		fill(20)
		if s.spool.bytes() == 0 || s.Stats().Bytes != 0 {
			t.Errorf("%d bytes kept, %d wait", s.spool.bytes(), s.Stats().Bytes)
		}
		for range 20 {
			fill(200)
			if kept := s.spool.bytes(); kept > s.cfg.arrivedBytes()+2*s.cfg.segmentBytes() {
				t.Fatalf("%d bytes kept", kept)
			}
		}
		if dropped := s.Stats().Dropped; dropped != 0 {
			t.Errorf("%d observations gave way to what had arrived", dropped)
		}
		time.Sleep(2 * keepArrived)
		fill(1)
		time.Sleep(2 * keepArrived)
		fill(1)
		if kept := s.spool.bytes(); kept > 2*contract.MaxRecordBytes {
			t.Errorf("%d bytes kept after half an hour", kept)
		}
	})
}

// What a restart sends once more has had its fate: nothing of it is counted or put into quarantine again.
func TestWhatIsSentOnceMoreHasHadItsFate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := shiptest.Service{Reject: func(r contract.Record) string {
			if body, ok := r.Body.(contract.LaunchBody); ok && body.Position == 2 {
				return "not this one"
			}
			return ""
		}}
		dir := t.TempDir()
		s := open(t, dir, &service)
		appendAll(t, s, launch(1), launch(2), host())
		run(t, s)
		s.spool.close() // dies
		s = open(t, dir, &service)
		if st := s.Stats(); st.Records != 0 || st.Bytes != 0 || st.OldestAge != 0 {
			t.Errorf("stats at the start: %+v", st)
		}
		run(t, s)
		if st := s.Stats(); st.Quarantined != 0 || st.Conflicts != 0 || st.Dropped != 0 {
			t.Errorf("stats after it: %+v", st)
		}
		if got := systemEvents(&service); len(got) != 1 {
			t.Errorf("the one rejected record was reported %d times", len(got))
		}
	})
}

func TestTheSpoolIDIsFoundInALine(t *testing.T) {
	for text, want := range map[string]string{
		`{"v":1,"host":"h","boot":"b.0123abcd","producer":"p"}`:              "0123abcd",
		`{"host":"\"boot\":\"x.99999999\"","boot":"2f-1.0123abcd","pseq":1}`: "0123abcd",
		`{"boot":"b","pseq":1}`: "",
		`{"boot":"0123abcd"}`:   "",
		`{"boot":"b-0123abcd"}`: "",
		`{"boot":"b.0123abcd`:   "",
		`{"event":"x"}`:         "",
		strings.Repeat("x", 40): "",
	} {
		got := ""
		if at := idAt([]byte(text)); at >= 0 {
			got = text[at : at+idLength]
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// A log service that calls everything a duplicate is waited for, not hammered.
func TestAConflictIsAFailureOfTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var service shiptest.Service
		s := open(t, t.TempDir(), &service)
		older := copyOf(t, s.cfg.Dir)
		appendAll(t, s, launch(1))
		run(t, s)
		s = open(t, older, &service)
		appendAll(t, s, launch(2))
		if _, err := s.next(t.Context()); err == nil || errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), "another sender") {
			t.Errorf("%v, want a conflict", err)
		}
	})
}
