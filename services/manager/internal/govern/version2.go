package govern

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/planview"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/source/netdev"
)

// Version2 is a policy of version 2 and its approval. Nobody changes it once the loop has it.
type Version2 struct {
	Policy policy2.Policy
	// Approved is the document that lies beside the policy, nil without one; ApprovalError says why one that is there cannot be
	// read, and so approves nothing.
	Approved      *policy2.Approved
	ApprovalError string
	// Missing is the path of the policy's file where there is none, and Policy then [policy2.None]; else "".
	Missing string
}

// NetworkCounter counts the traffic of containers, by id, as of their oldest processes. Of whom it is not asked any more it
// keeps nothing.
type NetworkCounter interface {
	Read(wanted map[string]netdev.Process) map[string]netdev.Count
}

// settings is what such a policy says of the loop itself, as a policy of version 1 that gives nobody a place. No code but
// [rulesDecider] and [stepExecutor] sees the rules.
func (v *Version2) settings() contract.Policy {
	p, act := contract.DefaultPolicy(), v.Policy.Act
	p.Mode, p.Quota = v.Policy.Mode, contract.Quota{}
	p.Tick, p.Warmup, p.Gates = durationIn(v.Policy.Tick), v.Policy.Warmup, v.Policy.Gates
	p.Act = contract.Act{
		Ladder: act.Calls, ThrottleMillicores: act.ThrottleMillicores, ThrottleTicks: 1, Grace: durationIn(act.Grace),
		Parallel: act.Parallel, Deadline: durationIn(act.Deadline),
		StuckAfter: act.StuckAfter, BreakerAfter: act.BreakerAfter, FutileAfter: act.FutileAfter,
	}
	return p
}

// durationIn is a duration of version 2, which counts seconds.
func durationIn(d policy2.Duration) contract.Duration {
	return contract.Duration(time.Duration(d) * time.Second)
}

// enforces says that a plan of version 1 is carried out.
func (l *loopState) enforces() bool {
	return l.version2 == nil && l.policy.Mode == contract.ModeEnforce
}

// take puts a policy in force.
func (l *loopState) take(u PolicyUpdate) {
	l.policy = u.Policy
	l.takeVersion2(u.Version2)
	if u.Version2 != nil {
		l.policy, l.policyHash = u.Version2.settings(), u.Version2.Policy.Hash()
		return
	}
	l.policyHash = u.Policy.Hash()
}

// takeVersion2 puts a policy of version 2 in force, with its approval; nil is none.
func (l *loopState) takeVersion2(v *Version2) {
	l.version2, l.inForce = v, rules.InForce{}
	if v != nil {
		l.inForce = rules.Approval(v.Policy, v.Approved)
	}
}

// ruleOf is the name of the rule with the hash, and how many steps it has; "" where the policy in force has none.
func (l *loopState) ruleOf(hash string) (name string, steps int) {
	if l.version2 == nil || hash == "" {
		return "", 0
	}
	for i := range l.version2.Policy.Rules {
		if r := &l.version2.Policy.Rules[i]; r.Hash() == hash {
			return r.Name, max(len(r.Do), len(r.Rest))
		}
	}
	return "", 0
}

// throttles says that the policy in force has the step throttle.
func (l *loopState) throttles() bool {
	if l.version2 == nil {
		return l.policy.Act.Ladder[0] == contract.RungThrottle
	}
	isThrottle := func(r policy2.Rung) bool { return r.Step == policy2.StepThrottle }
	return slices.ContainsFunc(l.version2.Policy.Rules, func(r policy2.Rule) bool {
		return slices.ContainsFunc(r.Do, isThrottle) || slices.ContainsFunc(r.Rest, isThrottle)
	})
}

// samePolicy says that the policy before was the same. The hash of version 2 says nothing of mode, tick and gates.
func (l *loopState) samePolicy(before *loopState) bool {
	if l.policyHash != before.policyHash || (l.version2 == nil) != (before.version2 == nil) {
		return false
	}
	return l.version2 == nil || reflect.DeepEqual(l.version2.Policy, before.version2.Policy)
}

// ruled is what the rules of a policy of version 2 say on one tick.
type ruled struct {
	planview.View
	texts *planview.Texts
	// program is what the plan was made by, memory what is remembered after the tick.
	program *rules.Program
	memory  rules.Memory
}

// throttled says that a rule remembers a limit of the container.
func (r *ruled) throttled(id string) bool {
	return slices.ContainsFunc(r.remembered(id), func(m rules.RuleMemory) bool { return m.Throttle != nil })
}

// stopped says that a rule has stopped the container.
func (r *ruled) stopped(id string) bool {
	return slices.ContainsFunc(r.remembered(id), func(m rules.RuleMemory) bool { return m.Stopped })
}

// remembered is what each rule remembers of the container.
func (r *ruled) remembered(id string) []rules.RuleMemory {
	i, ok := slices.BinarySearchFunc(r.memory.Containers, id, func(c rules.ContainerMemory, id string) int { return strings.Compare(c.ID, id) })
	if !ok {
		return nil
	}
	return r.memory.Containers[i].Rules
}
