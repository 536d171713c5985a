package query

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/history"
	"gestor.local/logs/internal/line"
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
}

// ErrTooManyContainers says that a range has seen more containers than are counted at once.
var ErrTooManyContainers = errors.New("too many containers: ask for a shorter range, or for some of them with container, host or class")

// maxHeld bounds the bytes of one count of containers: some 60,000 of them.
const maxHeld = 32 << 20

// containerKey is what a container is known by: two engines may give one id.
type containerKey struct{ host, container string }

// Containers returns every container of a range, the largest consumers first. by is cpu or ram, mean over the range.
// A range with more records than one question may read is a TooMuchError.
func (e *Engine) Containers(ctx context.Context, f contract.Filter, by string) ([]Container, error) {
	f.Kinds = []contract.Kind{contract.KindContainer, contract.KindAction}
	if err := e.checkCost(f); err != nil {
		return nil, err
	}

	// Each has its place in memory until the last record is read: how many there are is not known before.
	all, held := map[containerKey]*history.Container{}, 0
	err := e.parse(ctx, f, func(l Line, rec *line.Record) error {
		key := containerKey{rec.Identity.Host, rec.Container}
		c := all[key]
		if c == nil {
			c = newContainer(rec)
			all[key] = c
			if held += bytesOf(c); held > maxHeld {
				return ErrTooManyContainers
			}
		}

		e.add(c, l, rec)
		return nil
	})

	out := make([]Container, 0, len(all))
	for _, c := range all {
		out = append(out, containerOf(c))
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

func newContainer(rec *line.Record) *history.Container {
	subject := contract.Subject{Container: rec.Container, Name: rec.Name, Image: rec.Image, Class: contract.Class(rec.Class)}
	return history.New(subject, rec.Identity.Host, rec.Time)
}

// bytesOf is about what the history of a container takes in memory.
func bytesOf(c *history.Container) int {
	const itself = 500 // with its place in the map and in the answer
	return itself + len(c.Host) + len(c.Container) + len(c.Name) + len(c.Image) + len(c.Class)
}

// add notes one record of a container.
func (e *Engine) add(c *history.Container, l Line, rec *line.Record) {
	c.Add(rec.Time)
	switch {
	case rec.Kind == contract.KindContainer && rec.Measured:
		c.Measure(rec.Time, contract.Measures{CPUMillicores: rec.Figures[0], RAMKB: rec.Figures[1], VSZKB: rec.Figures[2], RSSKB: rec.Figures[3]})

	case rec.Kind == contract.KindAction && rec.Phase == contract.PhaseOutcome:
		// The outcome stands in the body, which is decoded for the few records that may have one.
		if r, ok := e.decode(l); ok {
			if body, ok := r.Body.(contract.ActionBody); ok {
				c.Act(rec.Time, body)
			}
		}
	}
}

// containerOf is a history as an answer writes it.
func containerOf(c *history.Container) Container {
	out := Container{
		Subject: c.Subject, Host: c.Host, FirstSeen: c.First, LastSeen: c.Newest,
		Samples: c.Samples, Last: c.Last, Peak: c.Peak, Mean: c.Mean(),
	}
	if !c.Removed.IsZero() {
		out.Removed, out.RemovedAt, out.Reason = c.Outcome, &c.Removed, c.Reason
	}
	return out
}

// ContainerHistory is everything that happened to one container.
type ContainerHistory struct {
	Container
	Launch    *contract.Record  `json:"launch,omitempty"`
	Decisions []contract.Record `json:"decisions"` // the last of them, oldest first
	Actions   []contract.Record `json:"actions"`
}

// maxDecisions bounds the decisions of a history: one a tick would be a day's worth of nothing new.
const maxDecisions = 100

// ContainerHistory returns the history of the container with an id or a unique prefix of one, on the named host or on any; ok
// is false when there is no record.
func (e *Engine) ContainerHistory(ctx context.Context, id, host string) (all ContainerHistory, ok bool, err error) {
	all = ContainerHistory{Decisions: []contract.Record{}, Actions: []contract.Record{}}
	f := contract.Filter{Containers: []string{id}}
	if host != "" {
		f.Hosts = []string{host}
	}

	var c *history.Container
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
				all.add(r)
			}
		}
		return nil
	})
	if c == nil || err != nil {
		return all, false, err
	}

	// Records stand in the order of their arrival: what came late has its place in time all the same.
	all.Container = containerOf(c)
	for _, list := range [][]contract.Record{all.Decisions, all.Actions} {
		slices.SortStableFunc(list, func(a, b contract.Record) int { return a.Time.Compare(b.Time) })
	}
	return all, true, nil
}

// add takes in a record that the history shows as a whole.
func (all *ContainerHistory) add(r contract.Record) {
	switch r.Kind {
	case contract.KindLaunch:
		all.Launch = &r

	case contract.KindDecision:
		all.Decisions = append(all.Decisions, r)
		if len(all.Decisions) > maxDecisions {
			all.Decisions = all.Decisions[1:]
		}

	case contract.KindAction:
		all.Actions = append(all.Actions, r)
	}
}
