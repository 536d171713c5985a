package listener

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the counts of a listener.
func (l *Listener) Metrics() prometheus.Collector {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("gestor_logs_connections"+name, help, nil, nil)
	}
	return collector{
		l, desc("", "Open connections."), desc("_closed_total", "Idle connections that were closed to make room for others."),
		desc("_refused_total", "Connections for which there was no room."),
	}
}

type collector struct {
	listener              *Listener
	open, closed, refused *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	out <- c.open
	out <- c.closed
	out <- c.refused
}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	c.listener.mu.Lock()
	open := len(c.listener.open)
	c.listener.mu.Unlock()
	out <- prometheus.MustNewConstMetric(c.open, prometheus.GaugeValue, float64(open))
	out <- prometheus.MustNewConstMetric(c.closed, prometheus.CounterValue, float64(c.listener.closed.Load()))
	out <- prometheus.MustNewConstMetric(c.refused, prometheus.CounterValue, float64(c.listener.refused.Load()))
}
