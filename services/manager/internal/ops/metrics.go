package ops

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/planview"
)

// Metrics turns the loop's events into the series that Prometheus scrapes. It is a govern.Sink.
type Metrics struct {
	population *prometheus.GaugeVec
	deficit    *prometheus.GaugeVec
	plan       *prometheus.GaugeVec
	own        *prometheus.GaugeVec // of a policy of version 2, as rules and due
	rules      *prometheus.GaugeVec
	due        *prometheus.GaugeVec
	outcomes   *prometheus.CounterVec
	gateTicks  *prometheus.CounterVec
	gateNow    *prometheus.GaugeVec
	conditions *prometheus.GaugeVec
	breaker    *prometheus.GaugeVec
	ticks      *prometheus.CounterVec
	skipped    prometheus.Counter
	late       prometheus.Histogram
	phase      *prometheus.HistogramVec
	action     *prometheus.HistogramVec
	dataAge    prometheus.Gauge
	lastTick   prometheus.Gauge
	inFlight   prometheus.Gauge
	stuck      prometheus.Gauge
	spool      *prometheus.GaugeVec
	spoolBytes prometheus.Gauge
	journal    prometheus.Gauge
	conflicts  prometheus.Counter
	// conflictsCounted is how many of the spool's conflicts the counter has: the spool reports a total.
	conflictsCounted uint64
}

// phaseBuckets span a decision on ten containers to a tick that is lost (seconds); actionBuckets an engine call to a
// kill that needs the engine's 12 s and a retry.
func phaseBuckets() []float64 { return prometheus.ExponentialBuckets(0.0001, 4, 9) }

func actionBuckets() []float64 { return []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 12.5, 20, 40, 60} }

// NewMetrics registers the manager's metrics.
func NewMetrics(reg prometheus.Registerer, version string) *Metrics {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "gestor", Name: name, Help: help}, labels)
		reg.MustRegister(v)
		return v
	}

	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "gestor", Name: name, Help: help}, labels)
		reg.MustRegister(v)
		return v
	}

	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "gestor", Name: name, Help: help, Buckets: buckets}, labels)
		reg.MustRegister(v)
		return v
	}

	m := &Metrics{
		population: gauge("population_containers", "Owned containers by class and by what the last plan said of them.", "class", "state"),
		deficit:    gauge("deficit_containers", "Places of the policy that nobody holds.", "class"),
		plan:       gauge("plan_containers", "Removals in the last plan.", "class"),
		own:        gauge("own_containers", "Own containers under a policy of version 2, all and living.", "state"),
		rules:      gauge("rule_containers", "Containers that a rule speaks of, holds for, or may hold for.", "rule", "state"),
		due:        gauge("due_containers", "Containers by the step that is due under a policy of version 2.", "step"),
		outcomes:   counter("action_outcomes_total", "Actions by how they ended.", "action", "outcome"),
		gateTicks:  counter("gated_ticks_total", "Ticks on which the gate kept the manager from acting.", "gate"),
		gateNow:    gauge("gate_failing", "1 while the gate keeps the manager from acting.", "gate"),
		conditions: gauge("condition_active", "1 while the condition lasts; those that keep the manager from acting are gates.", "condition"),
		breaker:    gauge("breaker_state", "1 for the state that the engine breaker is in.", "state"),
		ticks:      counter("ticks_total", "Ticks by whether they could act.", "gated"),
		skipped:    counter("skipped_ticks_total", "Grid points that passed without a tick.").WithLabelValues(),
		phase:      histogram("tick_phase_seconds", "Time spent in each phase of a tick.", phaseBuckets(), "phase"),
		action:     histogram("action_seconds", "Time from the start of an action to its end.", actionBuckets(), "action"),
		dataAge:    gauge("data_age_seconds", "Age of the reading when the last plan was made.").WithLabelValues(),
		lastTick:   gauge("last_tick_timestamp_seconds", "Start of the last tick.").WithLabelValues(),
		inFlight:   gauge("in_flight_containers", "Victims whose end is not known yet.").WithLabelValues(),
		stuck:      gauge("stuck_containers", "Containers that could not be removed and are left alone.").WithLabelValues(),
		spool:      gauge("spool_records", "Records that wait for the log service."),
		spoolBytes: gauge("spool_bytes", "Size of the spool of records.").WithLabelValues(),
		conflicts:  counter("identity_conflicts_total", "Records sent again under a new identity, since somebody else had used their numbers.").WithLabelValues(),
		journal:    gauge("journal_bytes", "Size of the journal.").WithLabelValues(),
	}

	late := prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: "gestor", Name: "tick_late_seconds", Help: "Start of each tick after its point on the grid.", Buckets: phaseBuckets(),
	})
	reg.MustRegister(late)
	m.late = late
	gauge("build_info", "1; the version is in the label.", "version").WithLabelValues(version).Set(1)
	m.initLabels()
	return m
}

// initLabels makes the series that alerts compare with zero exist before their first event.
func (m *Metrics) initLabels() {
	for _, name := range govern.GateNames() {
		m.gateTicks.WithLabelValues(name)
		m.gateNow.WithLabelValues(name)
	}
	for _, name := range govern.ConditionNames() {
		m.conditions.WithLabelValues(name)
	}

	for _, outcome := range []string{
		contract.OutcomeDone, contract.OutcomeAlreadyGone, contract.OutcomeAlreadyStopped,
		contract.OutcomeRefused, contract.OutcomeUnknown, contract.OutcomeFailed,
	} {
		m.outcomes.WithLabelValues(contract.ActionRemove, outcome)
	}
}

// OnTick takes in one tick.
func (m *Metrics) OnTick(r *govern.Report) {
	m.lastTick.Set(float64(r.At.UnixMilli()) / 1000)
	m.skipped.Add(float64(r.Skipped))
	m.inFlight.Set(float64(r.InFlight))
	m.stuck.Set(float64(r.Stuck))
	m.spool.WithLabelValues().Set(float64(r.Spool.Records))
	m.spoolBytes.Set(float64(r.Spool.Bytes))
	m.journal.Set(float64(r.Journal))

	m.conflicts.Add(float64(r.Spool.Conflicts - m.conflictsCounted))
	m.conflictsCounted = r.Spool.Conflicts

	m.updateGates(r)
	m.updateConditions(r)
	m.observeTimings(r)
	m.updatePlan(r)

	for _, state := range []string{govern.BreakerClosed, govern.BreakerOpen, govern.BreakerHalfOpen} {
		m.breaker.WithLabelValues(state).Set(boolFloat(state == r.Breaker))
	}
}

func (m *Metrics) updateGates(r *govern.Report) {
	m.gateNow.Reset()
	for _, name := range govern.GateNames() {
		m.gateNow.WithLabelValues(name).Set(0)
	}

	for _, name := range r.Gates {
		m.gateNow.WithLabelValues(name).Set(1)
		m.gateTicks.WithLabelValues(name).Inc()
	}

	gated := "false"
	if len(r.Gates) > 0 {
		gated = "true"
	}
	m.ticks.WithLabelValues(gated).Inc()
}

func (m *Metrics) updateConditions(r *govern.Report) {
	for _, name := range govern.ConditionNames() {
		lasts := slices.ContainsFunc(r.Conditions, func(c govern.Condition) bool { return c.Name == name })
		m.conditions.WithLabelValues(name).Set(boolFloat(lasts))
	}
}

func (m *Metrics) observeTimings(r *govern.Report) {
	t := r.Timings
	m.late.Observe(inSeconds(t.LateUS))
	for phase, us := range map[string]uint64{"walk": t.WalkUS, "read": t.ReadUS, "parse": t.ParseUS, "decide": t.DecideUS, "act": t.ActUS} {
		m.phase.WithLabelValues(phase).Observe(inSeconds(us))
	}
	if r.Plan != nil {
		m.dataAge.Set(inSeconds(t.DataAgeUS))
	}
}

func (m *Metrics) updatePlan(r *govern.Report) {
	m.updateRules(r)
	if r.Classes == nil {
		return
	}

	// Reset first: a state that no container is in any more must not keep its last figure.
	m.population.Reset()
	for _, v := range r.Owned() {
		m.population.WithLabelValues(string(v.Class), v.Reason).Inc()
	}
	for _, s := range r.Shadow {
		m.population.WithLabelValues(string(s.Class), contract.ReasonShadowRemoved).Inc()
	}

	for _, c := range r.Classes {
		m.deficit.WithLabelValues(string(c.Class)).Set(float64(c.Deficit))
		m.plan.WithLabelValues(string(c.Class)).Set(float64(c.Removals))
	}
}

// updateRules takes in a plan of version 2. Under version 1 its figures are absent, as are those of classes where the rules have none,
// and not what they were.
func (m *Metrics) updateRules(r *govern.Report) {
	if r.Version2 == nil {
		m.own.Reset()
		m.rules.Reset()
		m.due.Reset()
		return
	}
	if r.Rules == nil {
		return
	}
	if r.Classes == nil {
		m.resetClasses()
	}

	p := &r.Rules.Plan
	m.dataAge.Set(inSeconds(r.Timings.DataAgeUS))
	m.own.WithLabelValues("all").Set(float64(p.Own))
	m.own.WithLabelValues("living").Set(float64(p.Living))

	m.rules.Reset()
	for _, rule := range p.Rules {
		m.rules.WithLabelValues(rule.Name, "speaks_of").Set(float64(rule.SpeaksOf))
		m.rules.WithLabelValues(rule.Name, "holds").Set(float64(rule.Holds))
		m.rules.WithLabelValues(rule.Name, "possible").Set(float64(rule.Possible))
	}

	due := planview.Due(p)
	for _, step := range policy2.Steps()[1:] { // but keep
		m.due.WithLabelValues(string(step)).Set(float64(due[step]))
	}
}

// OnAction takes in the end of one action.
func (m *Metrics) OnAction(a govern.ActionResult) {
	m.outcomes.WithLabelValues(a.Verb, a.Outcome).Inc()
	m.action.WithLabelValues(a.Verb).Observe(a.Took.Seconds())
}

// OnPolicy forgets the figures of classes, which the next plan may have none of.
func (m *Metrics) OnPolicy(contract.Policy) { m.resetClasses() }

func (m *Metrics) resetClasses() {
	m.population.Reset()
	m.deficit.Reset()
	m.plan.Reset()
}

func inSeconds(us uint64) float64 { return float64(us) / float64(time.Second/time.Microsecond) }

func boolFloat(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
