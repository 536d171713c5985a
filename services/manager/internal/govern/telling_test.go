package govern_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/notify"
)

// hook is a receiver over HTTP, outside of the time of the tests.
type hook struct {
	mu     sync.Mutex // guards all following fields
	status int
	texts  []string // of what it took
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	var body struct {
		Text string `json:"text"`
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	w.WriteHeader(h.status)
	if h.status == http.StatusOK && json.Unmarshal(text, &body) == nil {
		h.texts = append(h.texts, strings.Split(body.Text, "\n")...)
	}
}

func (h *hook) answer(status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status = status
}

func (h *hook) told() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.texts)
}

// A ladder stands still until its notice has arrived, and says why; what is done then is told, too.
func TestALadderWaitsForItsReceiver(t *testing.T) {
	receiver := &hook{status: http.StatusNotFound}
	server := httptest.NewServer(receiver)
	defer server.Close()

	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, 0, 0)
		w.options.Version2 = version2(t, `own: [{label: gestor.managed=true}]
surprise: 100%
rules:
  - {name: old, when: {age: 1m}, do: [warn, {after: 5m, do: stop}]}
`)

		sender := notify.New(notify.Config{URL: func() (string, error) { return server.URL, nil }})
		w.options.Notifier = sender
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = sender.Run(ctx) })
		defer running.Wait()
		defer cancel()

		err := w.runWith(80*time.Minute+5*time.Second, func(*govern.Governor) {
			time.Sleep(15 * time.Second)
			w.add("low", 0, 10) // its age counts from here
			time.Sleep(50 * time.Minute)
			c, ok := w.reports.condition(govern.ConditionWarnWaits)
			if !ok || !strings.Contains(c.Text, "the receiver answers 404 Not Found") || strings.Contains(c.Text, server.URL) || !strings.Contains(c.Text, "; next: ") {
				t.Errorf("condition %+v", c)
			}
			w.wantAlive("low-0")
			receiver.answer(http.StatusOK) // tried again an hour after it was refused
		})
		if err != nil {
			t.Fatal(err)
		}

		w.wantAlive()
		told := receiver.told()
		if len(told) != 2 || !strings.HasPrefix(told[0], "low-0 will be stopped on ") || !strings.HasPrefix(told[1], "low-0 was stopped (rule old: age ") {
			t.Errorf("told %q", told)
		}
		if c, ok := w.reports.condition(govern.ConditionWarnWaits); ok {
			t.Errorf("condition %+v at the end", c)
		}

		// Five minutes after it had arrived, an hour after it was refused.
		var stopped time.Time
		for _, c := range w.engine.Calls() {
			if c.Op == "stop" {
				stopped = c.At
			}
		}
		if after := stopped.Sub(w.reader.start); after < 65*time.Minute || after > 68*time.Minute {
			t.Errorf("stopped after %s", after)
		}
		if open := w.open(); len(open) > 0 {
			t.Errorf("open: %+v", open)
		}
	})
}
