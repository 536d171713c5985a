package planview

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// Change is one step for one container: one that is due, or the next to come if nothing else changes.
type Change struct {
	Step      policy2.Step `json:"step"`
	Container string       `json:"container"` // its name as it can be shown, else the beginning of its id
	ID        string       `json:"id"`
	Rule      string       `json:"rule,omitempty"` // "" of no rule: the newest go while there are too many, or too little memory
	Why       string       `json:"why,omitempty"`  // of one that is due
	At        time.Time    `json:"at"`             // on the clock on the wall; of one that is due that of the plan
}

// Changes are the steps that are due, the harshest first, and the next one of each container, the earliest first: those of whom a
// step is due have a next one too.
func (v View) Changes() (now, next []Change) {
	texts := v.texts()
	due, others := v.sorted()
	for _, verdict := range due {
		now = append(now, v.due(verdict, texts)...)
	}

	for _, verdict := range slices.Concat(due, others) {
		if n := following(verdict); n != nil {
			next = append(next, v.coming(verdict, n))
		}
	}
	slices.SortStableFunc(next, func(a, b Change) int { return a.At.Compare(b.At) })
	return now, next
}

// at is when the plan was made.
func (v View) at() time.Time { return time.UnixMicro(v.Facts.WallUS).UTC() }

// due are the steps that are due for a container.
func (v View) due(verdict *rules.Verdict, texts *Texts) (list []Change) {
	for _, s := range stepsNow(verdict) {
		c := v.change(verdict, s.step, s.rule)
		c.Why, c.At = texts.why(verdict, s), v.at()
		list = append(list, c)
	}
	return list
}

// coming is the next change of a container.
func (v View) coming(verdict *rules.Verdict, n *rules.Next) Change {
	c := v.change(verdict, n.Step, n.Rule)
	c.At = time.UnixMicro(v.Facts.WallUS + max(0, n.GUS-v.Facts.GUS)).UTC()
	return c
}

func (v View) change(verdict *rules.Verdict, step policy2.Step, rule int) Change {
	return Change{
		Step: step, Container: nameOf(verdict.Name, verdict.ID), ID: verdict.ID, Rule: contract.Printable(v.Policy.RuleName(rule)),
	}
}

func (c Change) rule() string { return cmp.Or(c.Rule, "-") }

// When is the time of the change in words: how long from now until then, and what the clock on the wall will say.
func (c Change) When(now time.Time) string {
	wait := policy2.Duration(c.At.Sub(now) / time.Second)
	return fmt.Sprintf("in %s (%s)", wait, c.At.Format("Mon 2006-01-02 15:04 UTC"))
}

// Own are the own containers of the host, running or not, by name.
func (v View) Own() (list []*rules.Container) {
	texts := v.texts()
	for i := range v.Facts.Containers {
		if c := &v.Facts.Containers[i]; texts.IsOwn(c.ID) {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b *rules.Container) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return list
}
