package chart

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"
)

// builder makes one chart from the ticks and records of a range.
type builder interface {
	addTick(*tickFrame)
	addRecord(contract.Record)
	// model is called once, after the last record.
	model(tickInterval time.Duration) Model
}

// spec is a chart's entry in the catalogue.
type spec struct {
	Info
	make  func(Query) builder
	kinds []contract.Kind
}

// Info names a chart for people.
type Info struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	About string `json:"about"`
}

// Set builds any number of charts from one pass over the records of a range.
type Set struct {
	q        Query
	frames   tickGrouper
	specs    []spec
	builders []builder
	records  int
}

// NewSet starts the charts with the given names, or all of them when none is given.
func NewSet(q Query, names ...string) (*Set, error) {
	if !q.Until.After(q.Since) {
		return nil, fmt.Errorf("chart: the range ends (%s) before it begins (%s): since must be earlier than until",
			q.Until.Format(time.RFC3339), q.Since.Format(time.RFC3339))
	}

	// Records name images in short: a selection by the whole name means the same.
	q.Images = slices.Clone(q.Images)
	for i, image := range q.Images {
		q.Images[i] = ShortImage(image)
	}

	s := &Set{q: q, frames: tickGrouper{open: map[string]*tickFrame{}}}
	s.frames.emit = s.emit

	if len(names) == 0 {
		names = Names()
	}

	for _, name := range names {
		i := slices.IndexFunc(catalogue(), func(c spec) bool { return c.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("chart: %q is not one of %v", name, Names())
		}
		c := catalogue()[i]
		s.specs = append(s.specs, c)
		s.builders = append(s.builders, c.make(q))
	}

	return s, nil
}

// Kinds are the kinds of records the set needs; the others may be left out of the scan.
func (s *Set) Kinds() []contract.Kind {
	var out []contract.Kind
	for _, k := range contract.Kinds() {
		if slices.ContainsFunc(s.specs, func(c spec) bool { return slices.Contains(c.kinds, k) }) {
			out = append(out, k)
		}
	}
	return out
}

// Add takes one record. Records come in the order of the store; those outside the range are ignored.
func (s *Set) Add(r contract.Record) {
	if r.Time.Before(s.q.Since) || !r.Time.Before(s.q.Until) || !s.q.matchesHost(r.Host) {
		return
	}

	// Names are hostile: whatever a builder takes of the record is fit to be drawn.
	s.records++
	r.Body = sanitizeBody(r.Body)

	switch r.Kind {
	case contract.KindHost, contract.KindContainer:
		s.frames.add(r)
	}

	for _, b := range s.builders {
		b.addRecord(r)
	}
}

func (s *Set) emit(f *tickFrame) {
	for _, b := range s.builders {
		b.addTick(f)
	}
}

// Models ends the pass and returns the charts in the order they were asked for.
func (s *Set) Models() []Model {
	// The newest tick of each host is open until here: no later one has closed it.
	s.frames.flush()

	// Between two sums lies their width, whatever the ticks were.
	tickInterval := time.Duration(s.frames.medianInterval()) * time.Millisecond
	if s.q.RollupStep > 0 {
		tickInterval = s.q.RollupStep
	}

	out := make([]Model, 0, len(s.builders))
	for i, b := range s.builders {
		m := b.model(tickInterval)
		m.Name, m.Title, m.About = s.specs[i].Name, s.specs[i].Title, s.specs[i].About
		m.Since, m.Until = s.q.Since.UTC(), s.q.Until.UTC()
		if s.q.RollupStep > 0 {
			m.StepMS = max(m.StepMS, s.q.RollupStep.Milliseconds())
		}

		if !m.HasData() {
			m.Empty = s.emptyText()
			m.Summary = m.Title + ": nothing to show. " + m.Empty
		}
		out = append(out, m)
	}
	return out
}

// emptyText says why a chart is empty and what to do.
func (s *Set) emptyText() string {
	span := FormatDuration(s.q.Until.Sub(s.q.Since))
	switch {
	case s.q.Newest.IsZero():
		return "No record has arrived yet. Start the suite with `make up`; the first records come within a tick (10 s)."
	case s.records == 0 && s.q.RollupStep == 0 && len(s.q.Hosts) > 0:
		return fmt.Sprintf("No records of %s in these %s. Choose another host or a longer range, or see that its manager runs.", strings.Join(s.q.Hosts, ", "), span)
	case s.records == 0 && (s.q.RollupStep == 0 || len(s.q.Hosts) == 0):
		return fmt.Sprintf("No records in these %s; the newest is of %s. Choose a longer range, or see that the manager runs.",
			span, s.q.Newest.UTC().Format("2006-01-02 15:04:05Z"))
	case s.q.RollupStep > 0 && (s.q.filtered() || len(s.q.Hosts) > 0):
		return "The sums of these " + span + " hold nothing of this selection. Choose a range of at most " + FormatDuration(MaxRecordRange) + ", which is read record by record."
	case s.q.filtered():
		return "No container of this selection in these " + span + ". Widen the class, image or time range."
	default:
		return "Nothing of this kind happened in these " + span + ". Choose a longer range."
	}
}

// catalogue lists the charts in the order of the page.
func catalogue() []spec {
	observed := []contract.Kind{contract.KindHost, contract.KindContainer}
	withEvents := append(observed[:2:2], contract.KindDecision, contract.KindAction, contract.KindLaunch)
	return []spec{
		{Info{"population", "Population", "The containers of each class against the number the policy keeps, with arrivals and removals."}, newPopulation, withEvents},
		{Info{"memory", "Memory", "The host's memory over time, what the governed containers hold of it, and when containers were removed."}, newMemory, withEvents},
		{Info{"processes", "Processes", "CPU and RAM of the containers that used most, the dead included."}, newProcesses, observed},
		{Info{"lives", "Lives", "Every container from birth to death."}, newLivesChart, withEvents},
		{Info{"top", "Top consumers", "The five containers that use most RAM and CPU, now and over the range, the dead included."}, newTop, observed},
		{Info{"heatmap", "Removals and CPU by image", "When which image is removed, and when it works."}, newHeatmap, withEvents},
		{Info{"lifetimes", "Lifetimes", "How long containers live before they end."}, newLifetimes, withEvents},
		{Info{"control", "Control", "How fast the governor brings the population back, and what a tick costs."}, newControl, withEvents},
		{Info{"health", "Health", "The governor watching itself: rhythm, backlog, record flow."}, newHealth, contract.Kinds()},
	}
}

// Names lists the charts in the order of the page.
func Names() []string {
	var out []string
	for _, c := range catalogue() {
		out = append(out, c.Name)
	}
	return out
}

// Catalogue describes every chart.
func Catalogue() []Info {
	var out []Info
	for _, c := range catalogue() {
		out = append(out, c.Info)
	}
	return out
}

// tickFrame is one tick of one host: its host record and the container records of the same tick.
type tickFrame struct {
	at       float64 // milliseconds since the epoch
	key      frameKey
	hostName string // the host's name, which outlives a boot
	host     *contract.HostBody
	rows     []contract.ContainerBody
}

// hasPlan says whether the tick had a plan: host and engine were read. A tick without a reading has a host record too,
// with zeros where nobody looked.
func (f *tickFrame) hasPlan() bool { return f.host != nil && f.host.Planned() }

// knowsLiving says whether the tick knows who lives: it names containers, or counted them and found none.
func (f *tickFrame) knowsLiving() bool { return len(f.rows) > 0 || f.hasPlan() }

// frameKey tells the ticks of one host apart. A producer that does not number its ticks is told apart by time.
type frameKey struct {
	boot, producer string
	tick           uint64
	ms             int64
}

func keyOf(r contract.Record) frameKey {
	k := frameKey{boot: r.Boot, producer: r.Producer, tick: r.Tick}
	if r.Tick == 0 {
		k.ms = r.Time.UnixMilli()
	}
	return k
}

// tickGrouper groups observations into frames; hosts do not disturb each other. A frame is complete when the next one of its
// host begins.
type tickGrouper struct {
	open      map[string]*tickFrame
	emit      func(*tickFrame)
	intervals []float64 // between the ticks of a host
}

// maxIntervals is enough to know the time between ticks and bounds the memory of a long range.
const maxIntervals = 4096

func (f *tickGrouper) add(r contract.Record) {
	cur := f.open[r.Host]
	if key := keyOf(r); cur == nil || cur.key != key {
		// Another tick of this host has begun, so the one before is complete. Records of one tick stand together.
		next := &tickFrame{at: Millis(r.Time), key: key, hostName: r.Host}
		if cur != nil {
			f.addInterval(next.at - cur.at)
			f.emit(cur)
		}
		f.open[r.Host] = next
		cur = next
	}

	switch b := r.Body.(type) {
	case contract.HostBody:
		cur.host, cur.at = &b, Millis(r.Time)
	case contract.ContainerBody:
		if b.Why != contract.UnmeasuredNotRunning { // nobody who lives
			cur.rows = append(cur.rows, b)
		}
	}
}

func (f *tickGrouper) addInterval(ms float64) {
	if ms > 0 && len(f.intervals) < maxIntervals {
		f.intervals = append(f.intervals, ms)
	}
}

func (f *tickGrouper) flush() {
	hosts := make([]string, 0, len(f.open))
	for h := range f.open {
		hosts = append(hosts, h)
	}

	slices.Sort(hosts)

	for _, h := range hosts {
		f.emit(f.open[h])
	}

	clear(f.open)
}

// medianInterval is the usual time between two ticks in milliseconds: the median, or the default policy's tick.
func (f *tickGrouper) medianInterval() float64 {
	if len(f.intervals) == 0 {
		return float64(time.Duration(contract.DefaultPolicy().Tick) / time.Millisecond)
	}
	d := slices.Clone(f.intervals)
	slices.Sort(d)
	return d[len(d)/2]
}
