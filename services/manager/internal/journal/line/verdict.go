package line

import (
	"slices"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// Verdict is a verdict line, as it is read.
type Verdict struct {
	Tick uint64 `json:"verdict"`
	// Look is 2 for that of a second look, 0 for that of the first.
	Look int `json:"look"`
	// Hash is PlanHash of the plan, PolicyHash that of the policy it was made under.
	Hash       string   `json:"hash"`
	PolicyHash string   `json:"policy_hash"`
	Held       string   `json:"held"`
	Gates      []string `json:"gates"`
	// Rows are the verdicts that are others than on the last line.
	Rows []VerdictRow `json:"rows"`
}

// VerdictRow is what was decided on one container.
type VerdictRow struct {
	N        int          `json:"n"`
	Standing string       `json:"standing"` // "" is ready
	Rule     *int         `json:"rule"`     // nil: none decided
	Step     policy2.Step `json:"step"`
	Reason   string       `json:"reason"`
	// Index is which of the rule's steps it is, Guard what softened it.
	Index int    `json:"step_index"`
	Guard string `json:"guard"`
	// Passing are the steps of rules that do not decide over life.
	Passing []VerdictPassing `json:"passing"`
}

// VerdictPassing is one of them.
type VerdictPassing struct {
	Rule   int          `json:"rule"`
	Step   policy2.Step `json:"step"`
	Reason string       `json:"reason"`
}

// Rows are the last that was written of each container of a segment, by its number.
type Rows map[int]VerdictRow

// Add takes over what a line says is another.
func (r Rows) Add(v *Verdict) {
	for _, row := range v.Rows {
		r[row.N] = row
	}
}

// said is what the last line said of a container.
type said struct {
	told                    bool
	rule, index             int
	step                    policy2.Step
	standing, reason, guard string
	passing                 uint64 // a sum over them
}

// AppendVerdict writes the members of a verdict line, without braces. The facts that the plan was made of are those written last.
func (t *Table) AppendVerdict(to []byte, p *rules.Plan, gates []string, look int) []byte {
	o := object{text: to}
	o.tick("verdict", look, &t.host)
	o.key("hash")
	o.text = append(o.text, '"')
	o.text = append(o.text, t.hash.hash(p)...)
	o.text = append(o.text, '"')
	o.string("policy_hash", p.PolicyHash)
	o.someString("held", p.Held)
	o.someStrings("gates", gates)

	t.rows = t.rows[:0]
	t.order = slices.Grow(t.order[:0], len(p.Verdicts))[:len(p.Verdicts)]
	for i := range p.Verdicts {
		t.verdict(&p.Verdicts[i], &t.order[i])
	}

	o.rows("rows", t.rows)
	return o.text
}

// verdict writes one that has changed. place is where in the table the container of this place in the plan was on the tick before.
func (t *Table) verdict(v *rules.Verdict, place *int) {
	if *place >= len(t.slots) || t.slots[*place].c.ID != v.ID {
		i, ok := t.find(v.ID)
		if !ok {
			return // its facts were not written
		}
		*place = i
	}

	s := &t.slots[*place]
	now := said{true, v.Rule, v.StepIndex, v.Step, v.Standing, v.Reason, v.Guard, sumOf(v.Passing)}
	if s.said == now {
		return
	}

	s.said = now

	// What is so of most is left out: ready, no rule, no guard.
	o := object{text: append(t.rows, `,{`...)}
	o.int("n", int64(s.n))
	if v.Standing != rules.StandingReady {
		o.someString("standing", v.Standing)
	}

	if v.Rule >= 0 {
		o.int("rule", int64(v.Rule))
	}

	o.string("step", string(v.Step))
	o.string("reason", v.Reason)
	o.someInt("step_index", int64(v.StepIndex))
	o.someString("guard", v.Guard)

	if len(v.Passing) > 0 {
		o.list("passing")
		for k := range v.Passing {
			o.entry(k)
			o.int("rule", int64(v.Passing[k].Rule))
			o.string("step", string(v.Passing[k].Step))
			o.string("reason", v.Passing[k].Reason)
			o.close()
		}
		o.endList()
	}

	o.close()
	t.rows = o.text
}

// sumOf tells one list of passing steps from another: FNV-1a of what is written of them.
func sumOf(list []rules.Passing) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	sum := uint64(offset)
	add := func(s string) {
		for i := range len(s) {
			sum = (sum ^ uint64(s[i])) * prime
		}
		sum = (sum ^ 0xff) * prime
	}

	for i := range list {
		sum = (sum ^ uint64(list[i].Rule)) * prime
		add(string(list[i].Step))
		add(list[i].Reason)
	}

	return sum
}
