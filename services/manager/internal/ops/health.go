package ops

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"gestor.local/manager/internal/govern"
)

// stalledAfter ticks without a report the loop is taken for dead: it waits at most half a tick for anybody.
const stalledAfter = 4

// Health keeps the last report of the loop for whoever asks over HTTP. It is a govern.Sink and safe for concurrent use.
type Health struct {
	mu   sync.Mutex // guards all following fields
	last *govern.Report
	at   time.Time
}

// Ticked keeps the report.
func (h *Health) Ticked(r *govern.Report) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last, h.at = r, time.Now()
}

// Acted is of no interest to health.
func (h *Health) Acted(govern.Acted) {}

func (h *Health) state() (last *govern.Report, age time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last == nil {
		return nil, 0
	}
	return h.last, time.Since(h.at)
}

// status is the answer of /readyz.
type status struct {
	Status     string             `json:"status"` // ready, starting, stalled, degraded
	Tick       uint64             `json:"tick"`
	Mode       string             `json:"mode,omitempty"`
	Source     string             `json:"source,omitempty"`
	Gates      []string           `json:"gates"`
	Conditions []govern.Condition `json:"conditions"`
}

// alive is nil while the loop ticks, or has not begun to.
func (h *Health) alive() error {
	last, age := h.state()
	if last == nil {
		return nil
	}
	if tick := time.Duration(last.Policy.Tick); age > stalledAfter*tick {
		return fmt.Errorf("the loop has not ticked for %s (a tick is %s): see the log, then restart the manager", age.Round(time.Second), tick)
	}
	return nil
}

func (h *Health) ready() (status, int) {
	last, _ := h.state()
	if last == nil {
		return status{Status: "starting", Gates: []string{}, Conditions: []govern.Condition{}}, http.StatusServiceUnavailable
	}
	s := status{
		Status: "ready", Tick: last.Tick, Mode: string(last.Mode), Source: last.Source,
		Gates: append([]string{}, last.Gates...), Conditions: last.Conditions,
	}
	switch {
	case h.alive() != nil:
		s.Status = "stalled"
	case slices.ContainsFunc(last.Conditions, func(c govern.Condition) bool { return c.Severity != govern.SeverityNotice }):
		s.Status = "degraded"
	default:
		return s, http.StatusOK
	}
	return s, http.StatusServiceUnavailable
}
