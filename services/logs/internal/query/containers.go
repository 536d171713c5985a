package query

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/rollup"
)

// Container is what the records of a range say about one container, dead or alive.
type Container struct {
	contract.Subject
	Host      string    `json:"host"`
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	Samples   int       `json:"samples"` // measured ticks
	// Last, Peak and Mean are over the measured ticks.
	Last contract.Measures `json:"last"`
	Peak contract.Measures `json:"peak"`
	Mean contract.Measures `json:"mean"`
	// Removed is the outcome of its removal, "" while there is none.
	Removed   string     `json:"removed,omitempty"`
	RemovedAt *time.Time `json:"removed_at,omitempty"`
	Reason    string     `json:"reason,omitempty"`

	sum    contract.Measures
	lastAt time.Time // of Last
	endAt  time.Time // of the newest outcome
}

// ErrTooManyContainers says that a range has seen more containers than are counted at once.
var ErrTooManyContainers = errors.New("too many containers: ask for a shorter range, or for some of them with container, host or class")

// maxHeld bounds the bytes of one count of containers: some 60,000 of them.
const maxHeld = 32 << 20

// place is what a container is known by: two engines may give one id.
type place struct{ host, container string }

// Containers returns every container of a range, the largest consumers first. by is cpu or ram, mean over the range.
// A range with more records than one question may read is a TooMuchError.
func (e *Engine) Containers(ctx context.Context, f contract.Filter, by string) ([]Container, error) {
	f.Kinds = []contract.Kind{contract.KindContainer, contract.KindAction}
	if err := e.affordable(f); err != nil {
		return nil, err
	}

	all, held := map[place]*Container{}, 0
	err := e.parse(ctx, f, func(l Line, rec *line.Record) error {
		at := place{rec.Identity.Host, rec.Container}
		c := all[at]
		if c == nil {
			c = newContainer(rec)
			all[at] = c
			if held += c.bytes(); held > maxHeld {
				return ErrTooManyContainers
			}
		}
		e.add(c, l, rec)
		return nil
	})
	out := make([]Container, 0, len(all))
	for _, c := range all {
		out = append(out, c.summed())
	}
	slices.SortFunc(out, func(a, b Container) int {
		first := cmp.Compare(b.Mean.CPUMillicores, a.Mean.CPUMillicores)
		if by == "ram" {
			first = cmp.Compare(b.Mean.RAMKB, a.Mean.RAMKB)
		}
		return cmp.Or(first, cmp.Compare(a.Container, b.Container), cmp.Compare(a.Host, b.Host))
	})
	return out, err
}

// parse calls fn for every record that passes the filter, oldest first. It takes a fifth of the time of Scan, which
// decodes the whole body.
func (e *Engine) parse(ctx context.Context, f contract.Filter, fn func(Line, *line.Record) error) error {
	parser, rec := line.NewParser(), line.Record{} // one for all: fn keeps nothing of it but its strings
	return e.Lines(ctx, Query{Filter: f}, func(l Line) error {
		if !parser.ParseStored(l.JSON, &rec) {
			e.store.Unreadable(l.Seq, errNotStored)
			return nil
		}
		return fn(l, &rec)
	})
}

var errNotStored = errors.New("it does not have the stored form")

func newContainer(rec *line.Record) *Container {
	return &Container{
		Subject: contract.Subject{Container: rec.Container, Name: rec.Name, Image: rec.Image, Class: contract.Class(rec.Class)},
		Host:    rec.Identity.Host, FirstSeen: rec.Time,
	}
}

// bytes is about what the container takes in memory.
func (c *Container) bytes() int {
	const itself = 500 // with its place in the map and in the answer
	return itself + len(c.Host) + len(c.Container) + len(c.Name) + len(c.Image) + len(c.Class)
}

// add notes one record of a container. Records may come late: the newest is that of the latest time.
func (e *Engine) add(c *Container, l Line, rec *line.Record) {
	c.FirstSeen, c.LastSeen = earlier(c.FirstSeen, rec.Time), later(c.LastSeen, rec.Time)
	switch {
	case rec.Kind == contract.KindContainer && rec.Measured:
		c.observe(rec)
	case rec.Kind == contract.KindAction && rec.Phase == contract.PhaseOutcome && !rec.Time.Before(c.endAt):
		r, _ := e.decode(l)
		if body, ok := r.Body.(contract.ActionBody); ok && body.Removed() {
			at := rec.Time
			c.Removed, c.RemovedAt, c.Reason, c.endAt = body.Outcome, &at, body.Reason, at
		}
	}
}

func (c *Container) observe(rec *line.Record) {
	now := contract.Measures{CPUMillicores: rec.Figures[0], RAMKB: rec.Figures[1], VSZKB: rec.Figures[2], RSSKB: rec.Figures[3]}
	c.Samples++
	if !rec.Time.Before(c.lastAt) {
		c.Last, c.lastAt = now, rec.Time
	}
	for _, x := range []struct{ peak, sum, now *uint64 }{
		{&c.Peak.CPUMillicores, &c.sum.CPUMillicores, &now.CPUMillicores},
		{&c.Peak.RAMKB, &c.sum.RAMKB, &now.RAMKB},
		{&c.Peak.VSZKB, &c.sum.VSZKB, &now.VSZKB},
		{&c.Peak.RSSKB, &c.sum.RSSKB, &now.RSSKB},
	} {
		*x.peak, *x.sum = max(*x.peak, *x.now), rollup.Plus(*x.sum, *x.now)
	}
}

// summed is the container with its means.
func (c *Container) summed() Container {
	n := uint64(max(c.Samples, 1))
	c.Mean = contract.Measures{
		CPUMillicores: c.sum.CPUMillicores / n, RAMKB: c.sum.RAMKB / n, VSZKB: c.sum.VSZKB / n, RSSKB: c.sum.RSSKB / n,
	}
	return *c
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Life is the story of one container.
type Life struct {
	Container
	Launch    *contract.Record  `json:"launch,omitempty"`
	Decisions []contract.Record `json:"decisions"` // the last of them, oldest first
	Actions   []contract.Record `json:"actions"`
}

// maxDecisions bounds the decisions of a life: one a tick would be a day's worth of nothing new.
const maxDecisions = 100

// Life returns the story of the container with an id or a unique prefix of one, on the named host or on any; ok is false
// when there is no record.
func (e *Engine) Life(ctx context.Context, id, host string) (life Life, ok bool, err error) {
	life = Life{Decisions: []contract.Record{}, Actions: []contract.Record{}}
	f := contract.Filter{Containers: []string{id}}
	if host != "" {
		f.Hosts = []string{host}
	}
	var c *Container
	err = e.parse(ctx, f, func(l Line, rec *line.Record) error {
		switch {
		case rec.Kind == contract.KindHost || rec.Kind == contract.KindSystem: // an event that mentions it
			return nil
		case c == nil:
			c = newContainer(rec)
		case rec.Container != c.Container || rec.Identity.Host != c.Host:
			return ErrAmbiguous
		}
		e.add(c, l, rec)
		if rec.Kind != contract.KindContainer {
			if r, ok := e.decode(l); ok {
				life.tell(r)
			}
		}
		return nil
	})
	if c == nil || err != nil {
		return life, false, err
	}

	life.Container = c.summed()
	for _, list := range [][]contract.Record{life.Decisions, life.Actions} { // what came late has its place too
		slices.SortStableFunc(list, func(a, b contract.Record) int { return a.Time.Compare(b.Time) })
	}
	return life, true, nil
}

// tell takes in a record that is told as a whole.
func (life *Life) tell(r contract.Record) {
	switch r.Kind {
	case contract.KindLaunch:
		life.Launch = &r
	case contract.KindDecision:
		life.Decisions = append(life.Decisions, r)
		if len(life.Decisions) > maxDecisions {
			life.Decisions = life.Decisions[1:]
		}
	case contract.KindAction:
		life.Actions = append(life.Actions, r)
	}
}
