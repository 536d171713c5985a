package rulestest

import (
	"slices"
	"strings"
	"time"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// Table is one of policy/examples/tables.md as data: the containers of a host, and what an example policy does to them. The policy is
// approved from the tick before T on, on which its first plan is only shown.
type Table struct {
	// File is the policy's, without its ending; Tick is the tick of the table, 0 for that of the policy.
	File string
	Tick policy2.Duration
	// From is when the manager begins to look at the host, Until the last tick.
	From, Until time.Duration
	Rows        []Row
}

// Row is one line of a table: the containers of its first column, what happens to them, and what the plan says of them.
type Row struct {
	Containers []Container
	// Events are all that is done to the containers, by name, as the texts of [Event]; one that is left out is left alone.
	Events map[string][]string
	// Says are verdicts, as [Say] writes them.
	Says []string
	// StartedAt is when a person starts the containers, DownUntil until when nobody receives their notices; 0 for never.
	StartedAt, DownUntil time.Duration
}

// Tables are those of the policies of version 2.
func Tables() []Table { return []Table{Agents(), CI(), Previews(), Lab()} }

// one is the row of a single container.
func one(c Container, events []string, says ...string) Row {
	r := Row{Containers: []Container{c}, Says: says}
	if events != nil {
		r.Events = map[string][]string{c.Name: events}
	}
	return r
}

// Policy is the table's, made of that of the file.
func (t *Table) Policy(file policy2.Policy) policy2.Policy {
	if t.Tick > 0 {
		file.Tick = t.Tick
	}
	return file
}

// World is the host of the table before its first tick, under the policy of the file.
func (t *Table) World(file policy2.Policy) *World {
	p := t.Policy(file)
	w := New(p, t.From)
	w.ApprovedAt = -time.Duration(p.Tick) * time.Second
	w.Watch(t.Moments()...)

	down := make(map[string]time.Duration)
	for _, r := range t.Rows {
		w.Add(r.Containers...)
		for _, c := range r.Containers {
			down[c.Name] = r.DownUntil
		}
		if r.StartedAt > 0 {
			w.At(r.StartedAt, func() { w.Start(r.Names()...) })
		}
	}
	w.Undelivered = func(name string, at time.Duration) bool { return at < down[name] }
	return w
}

// Names are those of the row's containers.
func (r *Row) Names() (names []string) {
	for _, c := range r.Containers {
		names = append(names, c.Name)
	}
	return names
}

// Moments are those of which the table has verdicts. Sorted.
func (t *Table) Moments() (moments []time.Duration) {
	for _, r := range t.Rows {
		for _, text := range r.Says {
			at, _, _ := SaidOf(text)
			moments = append(moments, at)
		}
	}
	slices.Sort(moments)
	return slices.Compact(moments)
}

// SaidOf is the moment of a verdict, and the name of the container that it is about.
func SaidOf(text string) (at time.Duration, name string, err error) {
	head, _, _ := strings.Cut(text, ":")
	moment, name, _ := strings.Cut(head, " ")
	at, err = ParseMoment(moment)
	return at, name, err
}

// Say is what a plan of a moment says of a container: T+1m NAME: STEP REASON (RULE).
func Say(plan *rules.Plan, at time.Duration, name string) string {
	for _, v := range plan.Verdicts {
		if v.Name != name {
			continue
		}

		text := Moment(at) + " " + name + ": " + string(v.Step) + " " + v.Reason
		if _, rule := ruleOf(plan, v.Rule); rule != "" {
			text += " (" + rule + ")"
		}
		return text
	}
	return Moment(at) + " " + name + ": is not in the plan"
}

// ByReceiver are the tables of hosts that have one receiver of notices each, by the time until which nobody receives them. Rows to
// which nothing happens are on each of them.
func (t *Table) ByReceiver() map[time.Duration]Table {
	parts := make(map[time.Duration]Table)
	for _, r := range t.Rows {
		part := *t
		part.Rows = slices.DeleteFunc(slices.Clone(t.Rows), func(o Row) bool { return o.Events != nil && o.DownUntil != r.DownUntil })
		parts[r.DownUntil] = part
	}
	return parts
}

// Cut is the table up to a moment.
func (t *Table) Cut(until time.Duration) Table {
	cut := *t
	cut.Until, cut.Rows = min(t.Until, until), nil
	after := func(text string) bool {
		moment, _, _ := strings.Cut(text, " ")
		at, err := ParseMoment(moment)
		return err == nil && at > cut.Until
	}

	for _, r := range t.Rows {
		events := make(map[string][]string, len(r.Events))
		for name, list := range r.Events {
			events[name] = slices.DeleteFunc(slices.Clone(list), after)
		}
		r.Events, r.Says = events, slices.DeleteFunc(slices.Clone(r.Says), after)
		cut.Rows = append(cut.Rows, r)
	}
	return cut
}
