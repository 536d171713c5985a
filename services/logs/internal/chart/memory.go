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
	used, cache, free, governed *track
	available                   *track // of sums only
	total                       float64
	comings                     *comings
}

func newMemory(q Query) builder {
	return &memory{
		q: q, available: newTrack(q), used: newTrack(q), cache: newTrack(q), free: newTrack(q), governed: newTrack(q), comings: newComings(q),
	}
}

func (m *memory) event(r contract.Record) { m.comings.event(r) }

func (m *memory) frame(f *frame) {
	if f.host == nil || f.host.Memory.TotalKB == 0 { // a tick without a reading is a gap
		return
	}
	mem := f.host.Memory
	m.total = max(m.total, kib(mem.TotalKB))
	m.used.add(f.at, kib(mem.UsedKB))
	m.free.add(f.at, kib(mem.FreeKB))
	if mem.AvailableKB >= mem.FreeKB {
		m.cache.add(f.at, kib(mem.AvailableKB-mem.FreeKB))
	} else { // a host whose reserves are larger than its cache
		m.cache.add(f.at, 0)
	}
	if f.counted() { // without the engine nobody knows which containers are governed
		m.governed.add(f.at, m.governedRAM(f))
	}
}

func (m *memory) sum(s Sum) {
	m.comings.sum(s)
	if s.By != byHost {
		return
	}
	const kib = 1024
	switch s.Metric {
	case "memory_total_kb":
		m.total = max(m.total, float64(s.Max)*kib)
	case "memory_used_kb":
		s.into(m.used, kib)
	case "memory_free_kb":
		s.into(m.free, kib)
	case "memory_available_kb":
		s.into(m.available, kib)
	case "governed_ram_kb":
		if m.knowsGoverned() {
			s.into(m.governed, kib)
		}
	}
}

// knowsGoverned says whether it can be told what the governed containers hold: sums know it of all together, not of a
// selection.
func (m *memory) knowsGoverned() bool { return m.q.Sums == 0 || !m.q.selective() }

// reclaimable is available - free, bucket by bucket, of sums that know only these two.
func (m *memory) reclaimable() {
	free := map[int64]float64{}
	for _, b := range m.free.buckets {
		free[b.slot] = b.sum / float64(b.n)
	}
	for _, b := range m.available.buckets {
		v := max(0, b.sum/float64(b.n)-free[b.slot])
		m.cache.merge(b.at, v*float64(b.n), v, v, b.n)
	}
}

// governedRAM is the sum over the owned containers; of the selection when there is one.
func (m *memory) governedRAM(f *frame) float64 {
	if !m.q.selective() {
		return kib(f.host.GovernedRAMKB)
	}
	sum := 0.0
	for _, row := range f.rows {
		if row.Owned && m.q.wants(row.Subject) {
			sum += kib(row.RAMKB)
		}
	}
	return sum
}

func (m *memory) model(rhythm time.Duration) Model {
	gap := m.q.gap(rhythm)
	if m.q.Sums > 0 {
		m.reclaimable()
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
	notes := m.comings.notes()
	if m.knowsGoverned() {
		pane.Series = append(pane.Series, m.governed.series(Series{Name: "governed containers", Kind: KindLine, Tone: ToneFourth, Glyph: GlyphDiamond}, gap))
	} else {
		notes = append(notes, sumsOnly("what the selected containers held is drawn for shorter ranges."))
	}
	pane.Series = append(pane.Series, m.comings.marks(top)...)
	if top > 0 {
		pane.Y.Max = &top
	}
	return Model{
		StepMS: stepOf(m.q, float64(rhythm.Milliseconds())), Summary: m.summary(), Panes: []Pane{pane}, Notes: notes,
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
	if m.q.Sums == 0 || m.comings.knowsSums() {
		removed = " " + pluralOf(totalOf(m.comings.removals), "container was", "containers were") + " removed."
	}
	return fmt.Sprintf("Of %s the host used %s on average and %s at most, now %s.%s%s",
		FormatValue(UnitBytes, m.total), FormatValue(UnitBytes, used.Avg), FormatValue(UnitBytes, used.Max), FormatValue(UnitBytes, used.Last), held, removed)
}
