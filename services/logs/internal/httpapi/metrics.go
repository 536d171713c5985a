package httpapi

import (
	"github.com/prometheus/client_golang/prometheus"

	"gestor.local/logs/internal/store"
)

// storeCollector reads the store's counters when it is asked.
type storeCollector struct {
	store   *store.Store
	metrics []storeMetric
}

type storeMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func() float64
}

func newStoreCollector(s *store.Store) *storeCollector {
	c := &storeCollector{store: s}
	n := s.Counters()
	for _, stream := range store.Streams() {
		labels := prometheus.Labels{"stream": stream.String()}
		c.counter("gestor_logs_records_total", "Records stored.", labels, func() float64 { return float64(n.Records[stream].Load()) })
		c.counter("gestor_logs_record_bytes_total", "Bytes of records stored.", labels, func() float64 { return float64(n.Bytes[stream].Load()) })
		c.gauge("gestor_logs_segments", "Files of records.", labels, func() float64 { return float64(len(s.Segments(stream))) })
	}
	c.counter("gestor_logs_commits_total", "Groups of requests committed together.", nil, func() float64 { return float64(n.Commits.Load()) })
	c.counter("gestor_logs_duplicates_total", "Records that were sent again.", nil, func() float64 { return float64(n.Duplicates.Load()) })
	c.counter("gestor_logs_syncs_total", "Syncs to stable storage.", nil, func() float64 { return float64(n.Syncs.Load()) })
	c.counter("gestor_logs_sync_seconds_total", "Time spent in syncs.", nil, func() float64 { return float64(n.SyncNanos.Load()) / 1e9 })
	c.counter("gestor_logs_sealed_segments_total", "Files compressed.", nil, func() float64 { return float64(n.Sealed.Load()) })
	c.counter("gestor_logs_removed_records_total", "Records deleted by retention.", nil, func() float64 { return float64(n.Removed.Load()) })
	c.counter("gestor_logs_bad_lines_total", "Stored lines that could not be read at the start.", nil, func() float64 { return float64(n.BadLines.Load()) })
	c.counter("gestor_logs_bad_blocks_total", "Blocks that a query could not read.", nil, func() float64 { return float64(n.BadBlocks.Load()) })
	c.counter("gestor_logs_torn_bytes_total", "Bytes of torn tails cut off at the start.", nil, func() float64 { return float64(n.TornBytes.Load()) })
	c.counter("gestor_logs_store_panics_total", "Panics of the store's own work, which are always a defect.", nil, func() float64 { return float64(n.Panics.Load()) })
	c.gauge("gestor_logs_head_seq", "Last sequence number.", nil, func() float64 { return float64(s.Head()) })
	c.gauge("gestor_logs_absent_segments", "Files of records that are gone or cannot be read.", nil, func() float64 { return float64(s.Absent()) })
	c.gauge("gestor_logs_full", "1 while records are refused for want of space.", nil, func() float64 { return boolValue(s.Full()) })
	return c
}

func boolValue(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (c *storeCollector) add(kind prometheus.ValueType, name, help string, labels prometheus.Labels, value func() float64) {
	c.metrics = append(c.metrics, storeMetric{prometheus.NewDesc(name, help, nil, labels), kind, value})
}

func (c *storeCollector) counter(name, help string, labels prometheus.Labels, value func() float64) {
	c.add(prometheus.CounterValue, name, help, labels, value)
}

func (c *storeCollector) gauge(name, help string, labels prometheus.Labels, value func() float64) {
	c.add(prometheus.GaugeValue, name, help, labels, value)
}

// Describe implements prometheus.Collector.
func (c *storeCollector) Describe(out chan<- *prometheus.Desc) {
	for _, m := range c.metrics {
		out <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c *storeCollector) Collect(out chan<- prometheus.Metric) {
	for _, m := range c.metrics {
		out <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value())
	}
}
