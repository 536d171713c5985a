package chart

import (
	"fmt"
	"time"

	"gestor.local/contract"
)

// memory is the host's memory over time. Used, cache and free add up to the total: used is total - available, free is
// what nobody holds, cache is what the kernel would give back (available - free).
type memory struct {
	q                           Query
	used, cache, free, governed *bucketedSeries
	available                   *bucketedSeries // of sums only
	total                       float64
	flow                        *flow
}

func newMemory(q Query) builder {
	return &memory{
		q: q, available: newBucketedSeries(q), used: newBucketedSeries(q), cache: newBucketedSeries(q), free: newBucketedSeries(q), governed: newBucketedSeries(q), flow: newFlow(q),
	}
}

func (m *memory) addRecord(r contract.Record) { m.flow.addRecord(r) }

func (m *memory) addTick(f *tickFrame) {
	if f.host == nil || f.host.Memory.TotalKB == 0 { // a tick without a reading is a gap
		return
	}

	mem := f.host.Memory
	m.total = max(m.total, bytesFromKB(mem.TotalKB))
	m.used.add(f.at, bytesFromKB(mem.UsedKB))
	m.free.add(f.at, bytesFromKB(mem.FreeKB))
	if mem.AvailableKB >= mem.FreeKB {
		m.cache.add(f.at, bytesFromKB(mem.AvailableKB-mem.FreeKB))
	} else { // a host whose reserves are larger than its cache
		m.cache.add(f.at, 0)
	}

	if f.knowsLiving() { // without the engine nobody knows which containers are governed
		m.governed.add(f.at, m.governedRAM(f))
	}
}

func (m *memory) addRow(s RollupRow) {
	m.flow.addRow(s)
	if s.By != byHost {
		return
	}

	const bytesPerKB = 1024

	switch s.Metric {
	case "memory_total_kb":
		m.total = max(m.total, float64(s.Max)*bytesPerKB)
	case "memory_used_kb":
		s.mergeInto(m.used, bytesPerKB)
	case "memory_free_kb":
		s.mergeInto(m.free, bytesPerKB)
	case "memory_available_kb":
		s.mergeInto(m.available, bytesPerKB)
	case "governed_ram_kb":
		if m.knowsGoverned() {
			s.mergeInto(m.governed, bytesPerKB)
		}
	}
}

// knowsGoverned says whether it can be told what the governed containers hold: sums know it of all together, not of a
// selection.
func (m *memory) knowsGoverned() bool { return m.q.RollupStep == 0 || !m.q.filtered() }

// deriveCache is available - free, bucket by bucket, of sums that know only these two.
func (m *memory) deriveCache() {
	free := map[int64]float64{}
	for _, b := range m.free.buckets.filled {
		free[b.slot] = b.value.mean()
	}
	for _, b := range m.available.buckets.filled {
		v := max(0, b.value.mean()-free[b.slot])
		m.cache.merge(b.value.at, v*float64(b.value.n), v, v, b.value.n)
	}
}

// governedRAM is the sum over the owned containers; of the selection when there is one.
func (m *memory) governedRAM(f *tickFrame) float64 {
	if !m.q.filtered() {
		return bytesFromKB(f.host.GovernedRAMKB)
	}

	sum := 0.0
	for _, row := range f.rows {
		if row.Owned && m.q.matches(row.Subject) {
			sum += bytesFromKB(row.RAMKB)
		}
	}

	return sum
}

func (m *memory) model(tickInterval time.Duration) Model {
	gap := m.q.gap(tickInterval)
	if m.q.RollupStep > 0 {
		m.deriveCache()
	}

	top := m.total
	pane := Pane{
		Title: "Host memory", X: timeAxis(), Y: valueAxis("", UnitBytes), Weight: 1,
		Series: []Series{
			m.used.series(Series{Name: "used", Kind: KindLine, Tone: ToneThird, Stack: "host", Fill: 0.55}, gap),
			m.cache.series(Series{Name: "cache", Kind: KindLine, Tone: ToneThird, Dash: DashDashed, Stack: "host", Fill: 0.18}, gap),
			m.free.series(Series{Name: "free", Kind: KindLine, Tone: ToneNeutral, Dash: DashDotted, Stack: "host", Fill: 0.06}, gap),
		},
	}

	notes := m.flow.notes()
	if m.knowsGoverned() {
		pane.Series = append(pane.Series, m.governed.series(Series{Name: "governed containers", Kind: KindLine, Tone: ToneFourth, Glyph: GlyphDiamond}, gap))
	} else {
		notes = append(notes, rollupsOnly("what the selected containers held is drawn for shorter ranges."))
	}

	pane.Series = append(pane.Series, m.flow.marks(top)...)
	if top > 0 {
		pane.Y.Max = &top
	}

	return Model{
		StepMS: stepOf(m.q, float64(tickInterval.Milliseconds())), Summary: m.summary(), Panes: []Pane{pane}, Notes: notes,
	}
}

func (m *memory) summary() string {
	if m.used.stat.N == 0 {
		return ""
	}

	used, held := m.used.stat, ""
	if gov := m.governed.stat; gov.N > 0 {
		held = fmt.Sprintf(" The governed containers held %s on average and %s at most.", FormatValue(UnitBytes, gov.Avg), FormatValue(UnitBytes, gov.Max))
	}

	removed := ""
	if m.q.RollupStep == 0 || m.flow.knownFromRollups() {
		removed = " " + pluralOf(totalOf(m.flow.removals), "container was", "containers were") + " removed."
	}

	return fmt.Sprintf("Of %s the host used %s on average and %s at most, now %s.%s%s",
		FormatValue(UnitBytes, m.total), FormatValue(UnitBytes, used.Avg), FormatValue(UnitBytes, used.Max), FormatValue(UnitBytes, used.Last), held, removed)
}
