package chart

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"
)

// builder makes one chart from the frames and events of a range.
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
	s.frames.flush()
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

// gap is the distance in milliseconds between two points of a series beyond which at least one reading is missing.
func (q Query) gap(tickInterval time.Duration) float64 {
	step := q.Step(q.points())
	ms := float64(tickInterval / time.Millisecond)
	if 2*step <= tickInterval || q.RollupStep > 0 && step <= tickInterval { // no two readings share a bucket; sums stand on its grid
		return 1.5 * ms
	}
	return float64(step/time.Millisecond) + 1.2*ms
}
