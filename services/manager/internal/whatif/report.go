package whatif

import (
	"cmp"
	"slices"
	"time"

	"gestor.local/contract/policy2"
)

// heading is what has to be known of each report.
const heading = "The first difference of a container is exact; what follows is conditional, since nobody knows what it would have done then. " +
	"The policy counts as approved and in mode enforce; budget, surprise and closed gates hold it as they hold a manager."

// mostListed is how many containers with a difference a report lists; the sums are of all.
const mostListed = 10_000

// Report is what a policy would have done beside what was done. Times are on the wall.
type Report struct {
	Head       string     `json:"head"`
	PolicyHash string     `json:"policy_hash"`
	Recorded   []Recorded `json:"recorded"`
	From       time.Time  `json:"from"`
	To         time.Time  `json:"to"`
	Ticks      int        `json:"ticks"`
	// NotOnRecordSeconds is the time between From and To of which there are no facts: the manager or the host was off, lines are missing,
	// or a policy of version 1 was in force, of which Version1Ticks are left out.
	NotOnRecordSeconds int64 `json:"not_on_record_seconds"`
	Version1Ticks      int   `json:"version_1_ticks,omitempty"`
	BadLines           int   `json:"bad_lines,omitempty"`
	// Held is on how many ticks the policy's plan was not carried out, by what held it; CappedTicks on how many the budget let
	// somebody wait.
	Held        map[string]int `json:"held,omitempty"`
	CappedTicks int            `json:"capped_ticks,omitempty"`
	// InDoubt are the rules of which on some ticks it could not be known whether they hold.
	InDoubt []RuleDoubt `json:"in_doubt,omitempty"`
	// IdleAnew says that the policy measures idle otherwise than the recorded one: it is counted from the first tick on.
	IdleAnew bool `json:"idle_anew,omitempty"`

	Sums []Sum `json:"sums"`
	// Compared is the number of containers on which either took a step, Different of those with a difference, KeptLonger of those
	// that were ended and that the policy would have kept, from then on out of the replay.
	Compared   int `json:"compared"`
	Different  int `json:"different"`
	KeptLonger int `json:"kept_longer"`
	// SavedSeconds is for how long containers ran on that the policy had stopped or removed by then, added up.
	SavedSeconds int64 `json:"saved_container_seconds"`
	// Containers are those with a difference, by the time of the first, 10,000 at most.
	Containers []Container `json:"containers"`
}

// Recorded is a policy that was in force, and since when.
type Recorded struct {
	PolicyHash string    `json:"policy_hash"`
	From       time.Time `json:"from"`
}

// RuleDoubt is how often a rule could not be known to hold.
type RuleDoubt struct {
	Rule  string `json:"rule"`
	Ticks int    `json:"ticks"`
	Most  int    `json:"most_containers"` // containers on one tick
}

// Sum is how often one step was taken by both, and by one of them alone.
type Sum struct {
	Step         policy2.Step `json:"step"`
	Both         int          `json:"both"`
	OnlyRecorded int          `json:"only_recorded"`
	OnlyPolicy   int          `json:"only_policy"`
}

// Container is one with a difference.
type Container struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Image string `json:"image,omitempty"`
	// KeptLonger says that it was ended, and that the policy had not done so by then.
	KeptLonger bool   `json:"kept_longer,omitempty"`
	Steps      []Pair `json:"steps"`

	Recorded []Step `json:"-"`
	Policy   []Step `json:"-"`
}

// Pair is the n-th time that a step was taken: by the recorded policy, by the other one, or by both.
type Pair struct {
	Step     policy2.Step `json:"step"`
	Recorded *Step        `json:"recorded"`
	Policy   *Step        `json:"policy"`
	// DifferenceSeconds is how much later the policy takes it, below 0 how much earlier; null where one of them does not.
	DifferenceSeconds *int64 `json:"difference_seconds"`
	// Exact says that it is the first difference of the container.
	Exact bool `json:"exact,omitempty"`
}

// Step is a step that was taken.
type Step struct {
	Step policy2.Step `json:"-"`
	Rule string       `json:"rule"` // its name, "" for one that is too young for the rules
	At   time.Time    `json:"at"`
	Tick uint64       `json:"tick"`
}

// differs says that they did not take it on the same tick.
func (p *Pair) differs() bool {
	return p.Recorded == nil || p.Policy == nil || p.Recorded.Tick != p.Policy.Tick
}

// at is when the first of them took it.
func (p *Pair) at() time.Time {
	switch {
	case p.Recorded == nil:
		return p.Policy.At
	case p.Policy == nil || p.Recorded.At.Before(p.Policy.At):
		return p.Recorded.At
	default:
		return p.Policy.At
	}
}

// pair puts the steps of both beside each other, in the order of time.
func (c *Container) pair() {
	c.Steps = []Pair{}
	for _, step := range policy2.Steps() {
		recorded, policy := only(c.Recorded, step), only(c.Policy, step)
		for i := range max(len(recorded), len(policy)) {
			p := Pair{Step: step}
			if i < len(recorded) {
				p.Recorded = &recorded[i]
			}
			if i < len(policy) {
				p.Policy = &policy[i]
			}
			if p.Recorded != nil && p.Policy != nil {
				later := int64(p.Policy.At.Sub(p.Recorded.At) / time.Second)
				p.DifferenceSeconds = &later
			}
			c.Steps = append(c.Steps, p)
		}
	}

	slices.SortStableFunc(c.Steps, func(a, b Pair) int { return a.at().Compare(b.at()) })
	if i := c.first(); i >= 0 {
		c.Steps[i].Exact = true
	}
}

func only(all []Step, step policy2.Step) []Step {
	return slices.DeleteFunc(slices.Clone(all), func(s Step) bool { return s.Step != step })
}

// first is the index of the first difference, -1 for none.
func (c *Container) first() int {
	return slices.IndexFunc(c.Steps, func(p Pair) bool { return p.differs() })
}

// count notes what held the plan of a tick, and where there was doubt.
func (r *run) count(t *looked) {
	if t.plan.Held != "" {
		r.report.Held[t.plan.Held]++
	}

	capped := 0
	for i := range t.plan.Rules {
		rule := &t.plan.Rules[i]
		capped += rule.Capped
		if rule.Possible == 0 {
			continue
		}
		doubt := r.doubts[rule.Name]
		if doubt == nil {
			doubt = &RuleDoubt{Rule: rule.Name}
			r.doubts[rule.Name] = doubt
		}
		doubt.Ticks++
		doubt.Most = max(doubt.Most, rule.Possible)
	}
	if capped > 0 {
		r.report.CappedTicks++
	}
}

// sweep ends with those that have been gone for a while.
func (r *run) sweep(tick uint64) {
	const after = 64
	for id, c := range r.byID {
		if c.seen+after < tick {
			r.close(c)
			delete(r.byID, id)
		}
	}
}

// close adds a container to the sums.
func (r *run) close(c *container) {
	if len(c.Recorded)+len(c.Policy) == 0 {
		return
	}

	c.pair()
	r.report.Compared++
	r.report.SavedSeconds += c.savedUS / second
	for i := range c.Steps {
		p := &c.Steps[i]
		s := r.sums[p.Step]
		if s == nil {
			s = &Sum{Step: p.Step}
			r.sums[p.Step] = s
		}
		switch {
		case p.Policy == nil:
			s.OnlyRecorded++
		case p.Recorded == nil:
			s.OnlyPolicy++
		default:
			s.Both++
		}
	}

	if c.KeptLonger {
		r.report.KeptLonger++
	}
	if c.first() < 0 {
		return
	}
	r.report.Different++
	if len(r.report.Containers) < mostListed {
		r.report.Containers = append(r.report.Containers, c.Container)
	}
}

// finish completes the report.
func (r *run) finish() {
	for _, c := range r.byID {
		r.close(c)
	}

	report := &r.report
	slices.SortFunc(report.Containers, func(a, b Container) int {
		return cmp.Or(a.Steps[a.first()].at().Compare(b.Steps[b.first()].at()), cmp.Compare(a.ID, b.ID))
	})
	report.Sums = []Sum{}
	for _, step := range policy2.Steps() {
		if s := r.sums[step]; s != nil {
			report.Sums = append(report.Sums, *s)
		}
	}
	for _, rule := range r.policy.Rules {
		if d := r.doubts[rule.Name]; d != nil {
			report.InDoubt = append(report.InDoubt, *d)
		}
	}
}

// ruleName is the name of the policy's rule with the hash, "" for none.
func (r *run) ruleName(hash string) string { return r.names[hash] }

func clockTime(wallUS int64) time.Time { return time.UnixMicro(wallUS).UTC() }

func clock(wallUS int64) string { return clockTime(wallUS).Format(time.RFC3339) }
