package query

import (
	"cmp"
	"context"
	"slices"
	"time"

	"gestor.local/contract"

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

	sum contract.Measures
}

// Containers returns every container of a range, the largest consumers first. by is cpu or ram, mean over the range.
func (e *Engine) Containers(ctx context.Context, f contract.Filter, by string) ([]Container, error) {
	f.Kinds = []contract.Kind{contract.KindContainer, contract.KindAction}
	all := map[string]*Container{}
	err := e.Scan(ctx, f, Oldest, func(r contract.Record) error {
		subject, ok := contract.SubjectOf(r.Body)
		if !ok {
			return nil
		}
		c := all[subject.Container]
		if c == nil {
			c = &Container{Subject: subject, Host: r.Host, FirstSeen: r.Time}
			all[subject.Container] = c
		}
		c.add(r)
		return nil
	})
	out := make([]Container, 0, len(all))
	for _, c := range all {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b Container) int {
		first := cmp.Compare(b.Mean.CPUMillicores, a.Mean.CPUMillicores)
		if by == "ram" {
			first = cmp.Compare(b.Mean.RAMKB, a.Mean.RAMKB)
		}
		return cmp.Or(first, cmp.Compare(a.Container, b.Container))
	})
	return out, err
}

// add notes one record of the container.
func (c *Container) add(r contract.Record) {
	c.FirstSeen, c.LastSeen = earlier(c.FirstSeen, r.Time), later(c.LastSeen, r.Time)
	switch body := r.Body.(type) {
	case contract.ContainerBody:
		if !body.Measured {
			return
		}
		c.Samples++
		n := uint64(c.Samples)
		each := []struct{ last, peak, mean, sum, now *uint64 }{
			{&c.Last.CPUMillicores, &c.Peak.CPUMillicores, &c.Mean.CPUMillicores, &c.sum.CPUMillicores, &body.CPUMillicores},
			{&c.Last.RAMKB, &c.Peak.RAMKB, &c.Mean.RAMKB, &c.sum.RAMKB, &body.RAMKB},
			{&c.Last.VSZKB, &c.Peak.VSZKB, &c.Mean.VSZKB, &c.sum.VSZKB, &body.VSZKB},
			{&c.Last.RSSKB, &c.Peak.RSSKB, &c.Mean.RSSKB, &c.sum.RSSKB, &body.RSSKB},
		}
		for _, x := range each {
			*x.last, *x.peak = *x.now, max(*x.peak, *x.now)
			*x.sum = rollup.Plus(*x.sum, *x.now)
			*x.mean = *x.sum / n
		}
	case contract.ActionBody:
		if body.Action == contract.ActionRemove && body.Phase == contract.PhaseOutcome {
			at := r.Time
			c.Removed, c.RemovedAt, c.Reason = body.Outcome, &at, body.Reason
		}
	}
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

// Life returns the story of the container with an id or a unique prefix of one; ok is false when there is no record.
func (e *Engine) Life(ctx context.Context, id string) (life Life, ok bool, err error) {
	life = Life{Decisions: []contract.Record{}, Actions: []contract.Record{}}
	err = e.Scan(ctx, contract.Filter{Containers: []string{id}}, Oldest, func(r contract.Record) error {
		subject, of := contract.SubjectOf(r.Body)
		switch {
		case !of: // an event that mentions it
			return nil
		case !ok:
			ok = true
			life.Container = Container{Subject: subject, Host: r.Host, FirstSeen: r.Time}
		case subject.Container != life.Container.Container:
			return ErrAmbiguous
		}
		life.add(r)
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
		return nil
	})
	return life, ok, err
}
