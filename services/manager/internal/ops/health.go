package ops

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/planview"
	"gestor.local/manager/internal/rules"
)

// stalledAfter ticks without a report the loop is taken for dead: it waits at most half a tick for anybody.
const stalledAfter = 4

// Health keeps the last report of the loop for whoever asks over HTTP. It is a govern.Sink and safe for concurrent use.
type Health struct {
	mu         sync.Mutex // guards all following fields
	last       *govern.Report
	reportedAt time.Time     // when last came
	activeAt   time.Time     // of the last sign of life, which a changed policy is too
	tick       time.Duration // after which the next is due
	snapshots  int           // that were accepted since the start
}

// OnTick keeps the report.
func (h *Health) OnTick(r *govern.Report) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	h.last, h.reportedAt, h.activeAt, h.tick = r, now, now, time.Duration(r.Policy.Tick)
	if r.Population != nil {
		h.snapshots++
	}
}

// OnPolicy counts with the tick of the changed policy from now on: the next report comes that much later.
func (h *Health) OnPolicy(p contract.Policy) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.activeAt, h.tick = time.Now(), time.Duration(p.Tick)
}

// OnAction is of no interest to health.
func (h *Health) OnAction(govern.ActionResult) {}

func (h *Health) state() (last *govern.Report, age, tick time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last == nil {
		return nil, 0, 0
	}
	return h.last, time.Since(h.activeAt), h.tick
}

// accepted is how many snapshots were accepted since the start.
func (h *Health) accepted() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.snapshots
}

// status is the answer of /readyz.
type status struct {
	Status     string             `json:"status"` // ready, starting, stalled, degraded
	Tick       uint64             `json:"tick"`
	Mode       string             `json:"mode,omitempty"`
	Policy     string             `json:"policy,omitempty"` // the hash of the one in force
	Source     string             `json:"source,omitempty"`
	Snapshots  int                `json:"snapshots"` // accepted since the start
	Gates      []string           `json:"gates"`
	Conditions []govern.Condition `json:"conditions"`
	// Version2 says what a policy of version 2 would do, absent under one of version 1 and on a tick without a plan.
	Version2 *ruledStatus `json:"version_2,omitempty"`
	// LastTickAgeS is the time since the end of the last tick in seconds, absent before the first. Who starts
	// containers asks it before it starts more.
	LastTickAgeS *float64 `json:"last_tick_age_s,omitempty"`
}

// rules is the last tick's plan under a policy of version 2, nil without one.
func (h *Health) rules() *planview.View {
	last, _, _ := h.state()
	if last == nil {
		return nil
	}
	return last.Rules
}

// ruledStatus is the plan of a policy of version 2 in numbers.
type ruledStatus struct {
	Policy string            `json:"policy"`
	Held   string            `json:"held"` // why nothing of it is carried out
	Own    int               `json:"own"`
	Living int               `json:"living"`
	Rules  []rules.RuleCount `json:"rules"`
	// Due is for how many containers each step is due.
	Due map[policy2.Step]int `json:"due"`
	// ClockInDoubt says that ages, ends and expiries are unknown (rules.Facts).
	ClockInDoubt bool `json:"clock_in_doubt"`
}

func ruledStatusOf(r *govern.Report) *ruledStatus {
	if r.Rules == nil {
		return nil
	}
	p := &r.Rules.Plan
	return &ruledStatus{
		Policy: p.PolicyHash, Held: r.Held, Own: p.Own, Living: p.Living, Rules: append([]rules.RuleCount{}, p.Rules...), Due: planview.Due(p),
		ClockInDoubt: r.Rules.Facts.ClockInDoubt,
	}
}

// alive is nil while the loop ticks, or has not begun to.
func (h *Health) alive() error {
	last, age, tick := h.state()
	if last == nil {
		return nil
	}

	if age > stalledAfter*tick {
		return fmt.Errorf("the loop has not ticked for %s (a tick is %s): see the log, then restart the manager", age.Round(time.Second), tick)
	}
	return nil
}

// tickAge is the time since the last tick in seconds, nil before the first.
func (h *Health) tickAge() *float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last == nil {
		return nil
	}
	age := time.Since(h.reportedAt).Seconds()
	return &age
}

func (h *Health) ready() (status, int) {
	last, _, _ := h.state()
	if last == nil {
		return status{Status: "starting", Gates: []string{}, Conditions: []govern.Condition{}}, http.StatusServiceUnavailable
	}

	s := status{
		Status: "ready", Tick: last.Tick, Mode: string(last.Mode), Policy: last.PolicyHash, Source: last.Source, Snapshots: h.accepted(),
		Gates: append([]string{}, last.Gates...), Conditions: last.Conditions,
		Version2: ruledStatusOf(last), LastTickAgeS: h.tickAge(),
	}

	// A notice does not degrade: the population is governed all the same.
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
