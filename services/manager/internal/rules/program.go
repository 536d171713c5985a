package rules

import (
	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// Program is a compiled policy. It keeps what depends on a container's identity alone, so that 100 rules are not matched against
// 1,000 containers on every tick. It is for one goroutine at a time.
type Program struct {
	policy policy2.Policy
	v1     *version1 // what a file of version 1 means beside the policy; nil for one of version 2
	hash   string
	rules  []rule
	index  map[string]int // of a rule, by its hash
	tickUS int64
	// lifetimes and pers are how many rules have the condition expired, and per.
	lifetimes, pers int

	suite   policy2.Suite
	known   map[*policy2.Identity]*identity
	round   uint64 // of Decide, by which identities that are gone are told
	scratch scratch
	reaches int64 // the longest span of the budget in µs
}

// rule is one rule of the policy, with what is asked of it on every tick.
type rule struct {
	*policy2.Rule
	index      int
	hash       string
	steps      policy2.Ladder
	conditions *policy2.Conditions
	// times and measures are the conditions but for, as they are asked.
	times, measures []condition
	keeps           bool // it gives places
	decides         bool // over life
	project         bool // its units are compose projects
	throttles       bool
	// lifetime and per are the rule's places in what an identity knows: of those with the condition expired, and with per.
	lifetime, per int
	// tail is how many places there are at the other end of the order, beside those at its beginning: of version 1 alone.
	tail int
}

func (r *rule) hasExpiry() bool { return r.conditions.Expired != "" }

func (r *rule) hasPer() bool { return r.keeps && r.Keep.Per != (policy2.Per{}) }

// places are those of one group.
func (r *rule) places() int { return r.Keep.Places + r.tail }

// New compiles the policy, which must be valid: see policy2.Policy.Validate.
func New(policy policy2.Policy) *Program {
	p := &Program{
		policy: policy, hash: policy.Hash(), index: make(map[string]int, len(policy.Rules)),
		tickUS: int64(policy.Tick) * secondUS, known: map[*policy2.Identity]*identity{},
	}

	p.rules = make([]rule, len(policy.Rules))
	for i := range policy.Rules {
		r := &p.rules[i]
		*r = compileRule(&p.policy.Rules[i], i)
		p.index[r.hash] = i

		r.lifetime, r.per = p.lifetimes, p.pers
		if r.hasExpiry() {
			p.lifetimes++
		}
		if r.hasPer() {
			p.pers++
		}
	}

	for _, rate := range policy.Budget {
		p.reaches = max(p.reaches, int64(rate.Span)*secondUS)
	}
	return p
}

func compileRule(written *policy2.Rule, i int) rule {
	r := rule{Rule: written, index: i, hash: written.Hash(), steps: written.Do, conditions: &written.When}
	r.keeps = !written.Keep.IsZero()
	if r.keeps {
		r.steps, r.conditions = written.Rest, &written.RestWhen
	}
	r.times, r.measures = compileConditions(r.conditions)
	r.decides = r.steps.Decides()
	r.project = written.Each == policy2.EachProject
	r.throttles = r.steps.Has(policy2.StepThrottle)
	return r
}

// Hash is the policy's.
func (p *Program) Hash() string { return p.hash }

// Policy is what was compiled. It must not be changed.
func (p *Program) Policy() *policy2.Policy { return &p.policy }

// RuleHash is the hash of the rule with this index.
func (p *Program) RuleHash(rule int) string { return p.rules[rule].hash }

// Units of time in microseconds.
const (
	secondUS = int64(1_000_000)
	minuteUS = 60 * secondUS
	hourUS   = 60 * minuteUS
	dayUS    = 24 * hourUS
)

// us is the duration in microseconds.
func us(d policy2.Duration) int64 { return int64(d) * secondUS }

// scratch is room that one tick after the other works in; nothing of it stays in a plan or a memory.
type scratch struct {
	all         []subject
	competitors []competitor
	contests    []contest
	contestOf   map[string]int // index in contests, by group
	keys        []uint64
	order       []int // indexes in all

	identities []identity // under version 1, of which nothing is known from tick to tick
	v1         roomV1
	// verdicts and now are of a plan and of a memory that nobody keeps, given back by whoever made them: the next take them.
	verdicts []Verdict
	now      []ContainerMemory
}

// take takes n zero values, of what was given back if there are as many.
func take[T any](back *[]T, n int) []T {
	list := *back
	*back = nil
	if list == nil || cap(list) < n {
		return make([]T, n) // also where n is 0: a list of none is no missing one
	}
	list = list[:n]
	clear(list)
	return list
}

// identity is what follows from a container's identity alone.
type identity struct {
	*policy2.Identity // with all names that it had

	of    *policy2.Identity // as the facts have it
	round uint64
	names int // how many names were known

	suite, own, protected, elsewhere bool

	project string
	service string
	needs   []string // the services that it depends on, sorted
	class   contract.Class
	classed policy2.Truth

	matches []policy2.Truth                  // by rule
	speaks  []int                            // the rules that may speak of it
	lasting []int                            // those of them that judge single containers and have the condition for
	expires []policy2.Fact[policy2.Duration] // by rule with the condition expired
	group   []policy2.Fact[string]           // by rule with per; "" is no group
}

// identify finds what is known of the identity, which had the names before. last is what may be known of it, or of another: it is
// asked first.
func (p *Program) identify(id *policy2.Identity, suite policy2.Suite, names []string, last *identity) *identity {
	who := last
	if who == nil || who.of != id {
		who = p.known[id]
	}
	if who == nil || who.names != len(names) {
		who = p.study(id, suite, names)
		p.known[id] = who
	}
	who.round = p.round
	return who
}
