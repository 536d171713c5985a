package ops

import (
	"github.com/prometheus/client_golang/prometheus"

	"gestor.local/generator/internal/report"
)

// collector makes the metrics out of the report, so that both always agree. Counters are of one run: they begin
// at 0 with the process.
type collector struct{ s Server }

// Describe implements prometheus.Collector. It describes nothing: which labels there are depends on what happened.
func (c collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	r, spool := c.s.Report(), c.s.Spool()
	m := metrics{out}

	for name, image := range r.Images {
		m.counter("planned_starts_total", "Starts whose time has come.", image.Planned, "image", name)
		m.counter("started_containers_total", "Containers started.", image.Started, "image", name)
	}

	m.byLabel("failed_starts_total", "Starts that were tried and failed.", r.Failed, "cause")
	m.byLabel("dropped_starts_total", "Starts that were not tried.", r.Dropped, "reason")
	m.byLabel("deaths_total", "Containers that ended.", r.Deaths, "cause")
	m.gauge("alive_containers", "Containers of the run that are alive.", r.Alive)

	heldBack := 0
	if r.Gate != "" {
		heldBack = 1
	}
	m.gauge("held_back", "1 while starts are held back.", heldBack)
	m.summary("start_lateness_seconds", "Beginning of starts against the plan, the last 10,000.", r.Lateness)
	m.summary("start_duration_seconds", "Length of starts, the last 10,000.", r.Took)

	m.gauge("spool_records", "Records that wait for the log service.", spool.Records)
	m.counter("delivered_records_total", "Records that arrived.", spool.Delivered)
	m.counter("identity_conflicts_total", "Records sent again under a new identity, since somebody else had used their numbers.", spool.Conflicts)
}

// metrics writes metrics of one collection; names get the prefix gestor_generator_.
type metrics struct{ out chan<- prometheus.Metric }

// desc describes a metric; labels are pairs of name and value.
func desc(name, help string, labels ...string) *prometheus.Desc {
	constant := prometheus.Labels{}
	for i := 0; i+1 < len(labels); i += 2 {
		constant[labels[i]] = labels[i+1]
	}
	return prometheus.NewDesc("gestor_generator_"+name, help, nil, constant)
}

func (m metrics) counter(name, help string, value uint64, labels ...string) {
	m.out <- prometheus.MustNewConstMetric(desc(name, help, labels...), prometheus.CounterValue, float64(value))
}

func (m metrics) gauge(name, help string, value int) {
	m.out <- prometheus.MustNewConstMetric(desc(name, help), prometheus.GaugeValue, float64(value))
}

func (m metrics) byLabel(name, help string, parts map[string]uint64, label string) {
	for part, n := range parts {
		m.counter(name, help, n, label, part)
	}
}

func (m metrics) summary(name, help string, t report.Times) {
	m.out <- prometheus.MustNewConstSummary(desc(name, help), t.Count, float64(t.Count)*float64(t.MeanUS)/1e6, map[float64]float64{
		0.5: float64(t.P50US) / 1e6, 0.95: float64(t.P95US) / 1e6, 1: float64(t.MaxUS) / 1e6,
	})
}
