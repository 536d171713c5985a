package chart

import (
	"fmt"
	"time"

	"gestor.local/contract"
)

// health is the suite watching itself: lateness of ticks, missed ticks, the manager's backlog, the flow of records and
// how long a record takes from its making to its place on disk, of which the sync of the log service is a part.
type health struct {
	q                Query
	late, spool, lag *bucketedSeries
	sync             *bucketedSeries // as the log service told the manager with its last answer
	missed           *bucketCounter
	skipped          int
	records          *bucketCounter
	first, last      float64
}

func newHealth(q Query) builder {
	return &health{
		q: q, late: newBucketedSeries(q), spool: newBucketedSeries(q), lag: newBucketedSeries(q), sync: newBucketedSeries(q), missed: newBucketCounter(q), records: newBucketCounter(q),
	}
}

func (h *health) addRecord(r contract.Record) {
	at := Millis(r.Time)
	if h.records.total == 0 {
		h.first = at
	}
	h.last = max(h.last, at)
	h.records.add(r.Time)
	if !r.Received.IsZero() {
		h.lag.add(at, r.Received.Sub(r.Time).Seconds())
	}
}

func (h *health) addTick(f *tickFrame) {
	if f.host == nil {
		return
	}

	h.late.add(f.at, secondsFromUS(f.host.Timings.LateUS))
	h.spool.add(f.at, float64(f.host.SpoolRecords))
	if us := f.host.Timings.SyncUS; us > 0 {
		h.sync.add(f.at, secondsFromUS(us))
	}

	skipped := int(min(f.host.SkippedTicks, 10_000)) // a bound: the number is a producer's word
	if skipped > 0 {
		h.missed.addN(timeAt(f.at), skipped)
	}
	h.skipped += skipped
}

func (h *health) addRow(s RollupRow) {
	if s.By != byHost {
		return
	}

	switch s.Metric {
	case "late_us":
		s.mergeInto(h.late, 1e-6)
	case "sync_us":
		s.mergeInto(h.sync, 1e-6)
	case "spool_records":
		s.mergeInto(h.spool, 1)
	case "skipped_ticks":
		if s.Total > 0 {
			h.missed.addN(s.At, int(s.Total))
		}
		h.skipped += int(s.Total)
	}
}

func (h *health) model(tickInterval time.Duration) Model {
	gap := h.q.gap(tickInterval)
	ticks := Pane{Title: "Ticks: late by", X: timeAxis(), Y: valueAxis("", UnitSeconds), Weight: 1, Series: []Series{
		h.late.series(Series{Name: "late", Kind: KindLine, Tone: ToneLow}, gap),
	}}

	missed := Pane{Title: "Missed ticks and records waiting at the manager", X: timeAxis(), Y: valueAxis("", UnitCount), Weight: 1, Series: []Series{
		h.spool.series(Series{Name: "records waiting", Kind: KindStep, Tone: ToneThird, Fill: 0.2}, gap),
		{Name: "missed ticks", Kind: KindBar, Tone: ToneFourth, Fill: 0.9, Points: h.missed.points(1, "missed")},
	}}

	store := Pane{Title: "From made to kept", X: timeAxis(), Y: valueAxis("", UnitSeconds), Weight: 1, Column: 1, Series: []Series{
		h.lag.series(Series{Name: "delay of a record", Kind: KindLine, Tone: ToneHigh, Dash: DashDashed}, 3*gap),
	}}

	sync := Pane{Title: "Log service: sync to stable storage", X: timeAxis(), Y: valueAxis("", UnitSeconds), Weight: 1, Series: []Series{
		h.sync.series(Series{Name: "sync", Kind: KindLine, Tone: ToneLow}, gap),
	}}

	flow := Pane{Title: "Records", X: timeAxis(), Y: valueAxis("", UnitRate), Weight: 1, Column: 1, Series: []Series{h.rate()}}
	m := Model{StepMS: stepOf(h.q, float64(tickInterval.Milliseconds())), Summary: h.summary(), Panes: []Pane{ticks, missed, sync, store, flow}}

	// Sums know neither when a record was received nor how many there were.
	if h.q.RollupStep > 0 {
		m.Panes = m.Panes[:3]
		m.Notes = []string{rollupsOnly("the flow and the delay of records are drawn for shorter ranges.")}
	}
	return m
}

func (h *health) rate() Series {
	s := Series{Name: "records per second", Kind: KindBar, Tone: ToneLow, Fill: 0.6}
	for _, p := range h.records.points(1, "records") {
		p.Y /= h.records.buckets.step / 1000
		s.Points = append(s.Points, p)
	}
	return s
}

func (h *health) summary() string {
	if h.q.RollupStep > 0 && h.late.stat.N > 0 {
		return fmt.Sprintf("Ticks were late by %s on average and %s at most; %d missed. At most %.0f records waited at the manager.",
			FormatValue(UnitSeconds, h.late.stat.Avg), FormatValue(UnitSeconds, h.late.stat.Max), h.skipped, h.spool.stat.Max)
	}

	if h.records.total == 0 {
		return ""
	}

	span := max(1, (h.last-h.first)/1000)
	return fmt.Sprintf("%s, %s on average. Ticks were late by %s on average and %s at most; %d missed. At most %.0f records waited at the manager. A record reached the disk %s after it was made on average, %s at most.",
		plural(h.records.total, "record"), FormatValue(UnitRate, float64(h.records.total)/span),
		FormatValue(UnitSeconds, h.late.stat.Avg), FormatValue(UnitSeconds, h.late.stat.Max), h.skipped,
		h.spool.stat.Max, FormatValue(UnitSeconds, h.lag.stat.Avg), FormatValue(UnitSeconds, h.lag.stat.Max))
}
