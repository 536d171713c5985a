package ops

import (
	"github.com/prometheus/client_golang/prometheus"

	"gestor.local/manager/internal/notify"
)

// RegisterNotices registers the figures of what is told to a webhook, asked for at each scrape.
func RegisterNotices(reg prometheus.Registerer, stats func() notify.Stats) {
	gauge := func(name, help string, value func(notify.Stats) int) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "gestor", Name: name, Help: help},
			func() float64 { return float64(value(stats())) }))
	}
	gauge("notices_waiting", "Notices that wait for the webhook.", func(s notify.Stats) int { return s.Pending })
	gauge("notify_failures", "Calls of the webhook in a row that failed.", func(s notify.Stats) int { return s.Failures })

	reg.MustRegister(prometheus.NewCounterFunc(
		prometheus.CounterOpts{Namespace: "gestor", Name: "notices_dropped_total", Help: "Notices that nothing waits for and that there was no room for."},
		func() float64 { return float64(stats().Dropped) }))
}
