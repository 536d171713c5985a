package notify

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gestor.local/manager/internal/notify/notifytest"
)

const address = "http://hook.test/services/s3cret"

// inMemory runs a test with a receiver, and a sender that Run works for from the moment start is called.
func inMemory(t *testing.T, answer http.HandlerFunc, test func(r *notifytest.Receiver, s *Sender, start func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := notifytest.New(answer)
		s := New(Config{URL: func() (string, error) { return address, nil }})
		s.config.Dial = r.Dial

		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(r.Serve)
		test(r, s, func() {
			running.Go(func() {
				if err := s.Run(ctx); err != nil {
					t.Error(err)
				}
			})
		})

		cancel()
		r.Close()
		running.Wait()
	})
}

// notice is the n-th, which a ladder waits for.
func notice(n int) Notice {
	id := strconv.Itoa(n)
	return Notice{
		Text: "preview-" + id + " will be stopped", Host: "h", Rule: "stale", Name: "preview-" + id, Step: "warn", ActionID: id, Awaited: true,
	}
}

func told(n int) Notice {
	one := notice(n)
	one.Awaited = false
	return one
}

// pass lets time go by.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func wantTimes(t *testing.T, r *notifytest.Receiver, want ...time.Duration) {
	t.Helper()
	if got := r.Times(); !slices.Equal(got, want) {
		t.Errorf("called after %v, want %v", got, want)
	}
}

func TestTwentyNoticesACallAndACallInTenSeconds(t *testing.T) {
	inMemory(t, notifytest.Status(200), func(r *notifytest.Receiver, s *Sender, start func()) {
		for n := range 45 {
			if !s.Send(notice(n)) {
				t.Fatalf("notice %d was not taken", n)
			}
		}
		start()
		pass(time.Minute)

		wantTimes(t, r, 0, 10*time.Second, 20*time.Second)
		var all []string
		for _, c := range r.Calls() {
			all = append(all, c.IDs()...)
			if n := len(c.IDs()); n > 20 {
				t.Errorf("%d notices in a call", n)
			}
		}
		if len(all) != 45 || all[0] != "0" || all[44] != "44" {
			t.Errorf("sent %v", all)
		}
		if got := s.Delivered(); !slices.Equal(got, all) {
			t.Errorf("delivered %v", got)
		}
		if again, st := s.Delivered(), s.Stats(); again != nil || st != (Stats{}) {
			t.Errorf("afterwards: delivered %v, %+v", again, st)
		}

		s.Send(notice(46)) // long after the last call: at once
		synctest.Wait()
		wantTimes(t, r, 0, 10*time.Second, 20*time.Second, time.Minute)
		s.Send(notice(47))
		pass(time.Minute)
		wantTimes(t, r, 0, 10*time.Second, 20*time.Second, time.Minute, 70*time.Second)
	})
}

func TestAFailedCallIsMadeAgainAndANoticeDeliveredOnce(t *testing.T) {
	inMemory(t, notifytest.Status(500), func(r *notifytest.Receiver, s *Sender, start func()) {
		s.Send(notice(1))
		start()
		pass(15 * time.Second)
		if got := s.Delivered(); got != nil || s.Stats().Failures != 2 {
			t.Errorf("after two failures: delivered %v, %+v", got, s.Stats())
		}

		r.Answers(notifytest.Status(200))
		pass(time.Hour)
		wantTimes(t, r, 0, 10*time.Second, 30*time.Second)
		if got := s.Delivered(); !slices.Equal(got, []string{"1"}) || s.Stats() != (Stats{}) {
			t.Errorf("delivered %v, %+v", got, s.Stats())
		}
		select {
		case <-s.Changed():
		default:
			t.Error("nobody was told that something has changed")
		}
	})
}

func TestAReceiverThatIsAwayIsAskedMoreSeldomAndSomebodyIsToldAfterTenMinutes(t *testing.T) {
	inMemory(t, notifytest.Status(503), func(r *notifytest.Receiver, s *Sender, start func()) {
		began := time.Now()
		s.Send(notice(1))
		start()
		pass(10*time.Minute - time.Second)
		if w, yes := s.Waits(); yes {
			t.Errorf("told too early: %+v", w)
		}

		pass(time.Second)
		s.Send(notice(2))
		w, yes := s.Waits()
		if want := (Waiting{Since: began, Notices: 2, Why: "the receiver answers 503 Service Unavailable"}); !yes || w != want {
			t.Errorf("%t, %+v, want %+v", yes, w, want)
		}

		pass(15 * time.Minute)
		seconds := []int{0, 10, 30, 70, 150, 310, 610, 910, 1210}
		var want []time.Duration
		for _, n := range seconds {
			want = append(want, time.Duration(n)*time.Second)
		}
		wantTimes(t, r, want...)

		r.Answers(notifytest.Status(204))
		pass(5 * time.Minute)
		if w, yes := s.Waits(); yes || len(s.Delivered()) != 2 {
			t.Errorf("still waits: %+v", w)
		}
	})
}

func TestAReceiverThatRefusesIsToldAtOnceAndAskedEachHour(t *testing.T) {
	for _, code := range []int{400, 401, 403, 404, 410, 413} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			inMemory(t, notifytest.Status(code), func(r *notifytest.Receiver, s *Sender, start func()) {
				began := time.Now()
				s.Send(notice(1))
				start()
				synctest.Wait()
				w, yes := s.Waits()
				if !yes || !w.Refused || w.Notices != 1 || !w.Since.Equal(began) {
					t.Errorf("%t, %+v", yes, w)
				}

				pass(2*time.Hour + time.Minute)
				wantTimes(t, r, 0, time.Hour, 2*time.Hour)
				r.Answers(notifytest.Status(200))
				pass(time.Hour)
				if w, yes := s.Waits(); yes || len(s.Delivered()) != 1 {
					t.Errorf("still waits: %+v", w)
				}
			})
		})
	}
}

func TestAReceiverThatIsBusySaysHowLongToWait(t *testing.T) {
	for name, tt := range map[string]struct {
		code   int
		header string
		want   time.Duration
	}{
		"429 with seconds":       {429, "120", 120 * time.Second},
		"429 with a date":        {429, "Sat, 01 Jan 2000 00:02:00 GMT", 120 * time.Second}, // the time of a test begins at midnight
		"429 without":            {429, "", 10 * time.Second},
		"429 with less":          {429, "1", 10 * time.Second},
		"429 with a day":         {429, "86400", time.Hour},
		"429 with what is none":  {429, "-5", 10 * time.Second},
		"503 with seconds":       {503, "60", time.Minute},
		"408, which never says":  {408, "", 10 * time.Second},
		"302, which is no error": {302, "", 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inMemory(t, func(w http.ResponseWriter, _ *http.Request) {
				if tt.header != "" {
					w.Header().Set("Retry-After", tt.header)
				}
				w.WriteHeader(tt.code)
			}, func(r *notifytest.Receiver, s *Sender, start func()) {
				s.Send(notice(1))
				start()
				synctest.Wait()
				if w, yes := s.Waits(); yes {
					t.Errorf("somebody was told: %+v", w)
				}
				r.Answers(notifytest.Status(200))
				pass(2 * time.Hour)
				wantTimes(t, r, 0, tt.want)
			})
		})
	}
}

func TestASlowReceiverIsGivenUpAfterTenSeconds(t *testing.T) {
	inMemory(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, func(r *notifytest.Receiver, s *Sender, start func()) {
		s.Send(notice(1))
		start()
		pass(9 * time.Second)
		if s.Stats().Failures != 0 {
			t.Error("given up too early")
		}
		pass(time.Second)
		if s.Stats().Failures != 1 {
			t.Error("not given up")
		}
		pass(10 * time.Minute)
		if w, yes := s.Waits(); !yes || w.Why != "the receiver does not answer within 10 s" {
			t.Errorf("%t, %+v", yes, w)
		}
	})
}

func TestAnAnswerWithoutEndIsAnAnswer(t *testing.T) {
	inMemory(t, func(w http.ResponseWriter, _ *http.Request) {
		for line := make([]byte, 1<<10); ; {
			if _, err := w.Write(line); err != nil {
				return
			}
			w.(http.Flusher).Flush()
		}
	}, func(r *notifytest.Receiver, s *Sender, start func()) {
		s.Send(notice(1))
		start()
		synctest.Wait()
		if got := s.Delivered(); !slices.Equal(got, []string{"1"}) {
			t.Errorf("delivered %v", got)
		}
		wantTimes(t, r, 0)
	})
}

// The loop sends what it does not know to be delivered on every tick.
func TestANoticeThatIsSentAgainIsNotCalledAgain(t *testing.T) {
	inMemory(t, notifytest.Status(200), func(r *notifytest.Receiver, s *Sender, start func()) {
		s.Send(notice(1))
		s.Send(notice(1))
		start()
		synctest.Wait()
		s.Send(notice(1)) // delivered, but not asked for yet
		pass(time.Minute)
		wantTimes(t, r, 0)
		if got := s.Delivered(); !slices.Equal(got, []string{"1"}) {
			t.Errorf("delivered %v", got)
		}
	})
}

// A call that was cut off may have arrived. The next run sends it again, under the same id.
func TestANoticeOfUnknownFateIsSentByTheNextRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := notifytest.New(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		defer r.Close()
		go r.Serve()

		for run := range 2 {
			s := New(Config{URL: func() (string, error) { return address, nil }})
			s.config.Dial = r.Dial
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			s.Send(notice(7))
			go func() { ended <- s.Run(ctx) }()
			synctest.Wait() // the receiver has it
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if got := s.Delivered(); got != nil || s.Stats().Failures != 0 {
				t.Errorf("run %d: delivered %v, %+v", run, got, s.Stats())
			}
		}
		if calls := r.Calls(); len(calls) != 2 || calls[0].IDs()[0] != "7" || calls[1].IDs()[0] != "7" {
			t.Errorf("calls %v", calls)
		}
	})
}

func TestWhatWaitsIsBounded(t *testing.T) {
	s := New(Config{})
	for n := range maxPending {
		if !s.Send(told(n)) {
			t.Fatalf("notice %d was not taken", n)
		}
	}
	if s.Send(told(maxPending)) || s.Stats() != (Stats{Pending: maxPending, Dropped: 1}) {
		t.Errorf("one too many: %+v", s.Stats())
	}

	// Ladders wait for these: they take the room of those that nobody waits for.
	for n := range maxPending {
		if !s.Send(notice(maxPending + n)) {
			t.Fatalf("notice %d was not taken", maxPending+n)
		}
	}
	if s.Send(notice(2*maxPending)) || s.Stats() != (Stats{Pending: maxPending, Dropped: maxPending + 1}) {
		t.Errorf("the last: %+v", s.Stats())
	}
}

func TestNoticesAreWithdrawn(t *testing.T) {
	slow := func(w http.ResponseWriter, _ *http.Request) { time.Sleep(5 * time.Second); w.WriteHeader(500) }
	inMemory(t, slow, func(r *notifytest.Receiver, s *Sender, start func()) {
		s.Send(notice(1))
		start()
		synctest.Wait()
		s.Send(notice(2))
		s.Send(notice(3))
		s.Withdraw(func(n Notice) bool { return n.ActionID != "3" }) // the first is on its way
		if got := s.Stats().Pending; got != 2 {
			t.Errorf("%d wait, want the one on its way and the third", got)
		}
		if w, _ := s.Waits(); w.Notices != 1 {
			t.Errorf("ladders wait for %d", w.Notices)
		}

		pass(5 * time.Second)
		r.Answers(notifytest.Status(200))
		pass(time.Minute)
		if calls := r.Calls(); len(calls) != 2 || !slices.Equal(calls[1].IDs(), []string{"3"}) {
			t.Errorf("%d calls, %v", len(calls), calls)
		}
	})
}

// A figure of the backlog is no problem of the receiver.
func TestManyNoticesThatWaitAreTold(t *testing.T) {
	inMemory(t, notifytest.Status(200), func(_ *notifytest.Receiver, s *Sender, start func()) {
		for n := range maxPending {
			s.Send(notice(n))
		}
		start()
		pass(10 * time.Minute)
		w, yes := s.Waits()
		if !yes || w.Refused || w.Why != "many notices wait, and 20 of them are sent in 10 s" || w.Notices != maxPending-61*maxLines {
			t.Errorf("%t, %+v", yes, w)
		}
	})
}

// Nothing waits for what was only told.
func TestWhatNoLadderWaitsForIsNoReasonToTell(t *testing.T) {
	inMemory(t, notifytest.Status(404), func(_ *notifytest.Receiver, s *Sender, start func()) {
		s.Send(told(1))
		start()
		pass(time.Hour)
		if w, yes := s.Waits(); yes {
			t.Errorf("%+v", w)
		}
		if got := s.Stats(); got.Failures == 0 || got.Pending != 1 {
			t.Errorf("%+v", got)
		}
	})
}

func TestBackoff(t *testing.T) {
	p := &problem{}
	var got []string
	for n := range 8 {
		got = append(got, p.backoff(n+1).String())
	}
	if want := "[10s 20s 40s 1m20s 2m40s 5m0s 5m0s 5m0s]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

// A notice that waits takes the words of the last one with its id.
func TestTheLastWordsOfANoticeAreSent(t *testing.T) {
	inMemory(t, notifytest.Status(http.StatusBadGateway), func(r *notifytest.Receiver, s *Sender, start func()) {
		old, now := notice(1), notice(1)
		old.Text, now.Text = "on Monday", "on Tuesday"
		s.Send(old)
		start()
		synctest.Wait()

		r.Answers(notifytest.Status(http.StatusOK))
		if !s.Send(now) {
			t.Error("it was not taken")
		}
		pass(time.Minute)

		calls := r.Calls()
		if len(calls) != 2 || !strings.Contains(string(calls[0].Body), "on Monday") || !strings.Contains(string(calls[1].Body), "on Tuesday") {
			t.Errorf("calls %+v", calls)
		}
		if got := s.Delivered(); !slices.Equal(got, []string{"1"}) {
			t.Errorf("delivered %v", got)
		}
	})
}
