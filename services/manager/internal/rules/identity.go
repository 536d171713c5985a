package rules

import (
	"slices"
	"strings"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// study finds out what follows from the identity alone.
func (p *Program) study(id *policy2.Identity, suite policy2.Suite, names []string) *identity {
	who := &identity{Identity: withPastNames(id, names), of: id, names: len(names), project: id.Project()}

	by, protected := p.policy.Protects(who.Identity, suite)
	who.suite = by.BuiltIn != ""
	who.protected = protected
	_, who.own = p.policy.Owns(who.Identity, suite)
	_, who.elsewhere = contract.WorkloadOf(id.Labels)

	who.class, who.classed = p.policy.ClassOf(who.Identity)
	if who.project != "" {
		who.service = id.Labels[contract.LabelService]
		who.needs = dependencies(id.Labels[labelDependsOn])
	}

	who.matches = make([]policy2.Truth, len(p.rules))
	who.expires, who.group = make([]policy2.Fact[policy2.Duration], p.lifetimes), make([]policy2.Fact[string], p.pers)
	for i := range p.rules {
		p.studyRule(&p.rules[i], who)
		if who.matches[i] == policy2.False {
			continue
		}

		who.speaks = append(who.speaks, i)
		if p.rules[i].conditions.For != 0 && !p.rules[i].project {
			who.lasting = append(who.lasting, i)
		}
	}
	return who
}

func (p *Program) studyRule(r *rule, who *identity) {
	who.matches[r.index] = p.policy.MatchesAny(r.Match, who.Identity)

	if r.hasExpiry() {
		who.expires[r.lifetime] = lifetime(who.Identity, r.conditions.Expired)
	}
	if r.hasPer() {
		who.group[r.per] = groupOf(r.Keep.Per, who)
	}
}

// noLifetime is what a container has that lacks the label: it never expires.
const noLifetime policy2.Duration = -1

// lifetime is the duration in a label, unknown when it holds something else.
func lifetime(id *policy2.Identity, key string) policy2.Fact[policy2.Duration] {
	text, ok := id.Labels[key]
	if !ok {
		return policy2.Known(noLifetime)
	}
	d, err := policy2.ParseDuration(text)
	if err != nil || d < 0 {
		return policy2.Fact[policy2.Duration]{}
	}
	return policy2.Known(d)
}

// groupOf is the group in which the container competes, "" for none.
func groupOf(per policy2.Per, who *identity) policy2.Fact[string] {
	switch per.By {
	case policy2.ByProject:
		return policy2.Known(who.project)

	case policy2.ByImage:
		if policy2.IsImageID(who.Image) {
			return policy2.Fact[string]{}
		}
		return policy2.Known(contract.ImageName(who.Image))

	case policy2.ByClass:
		if who.classed == policy2.Unknown {
			return policy2.Fact[string]{}
		}
		return policy2.Known(string(who.class))

	case policy2.ByLabel:
		if who.Withholds(per.Label) {
			return policy2.Fact[string]{}
		}
		return policy2.Known(who.Labels[per.Label])

	default:
		return policy2.Known("")
	}
}

// labelDependsOn is what compose writes on a container: SERVICE:CONDITION:RESTART,… of those that it depends on.
const labelDependsOn = "com.docker.compose.depends_on"

// maxDependencies is how many bytes of the label are read: compose writes some dozen for each of a project's services, and anybody may write
// as many as he likes.
const maxDependencies = 64 << 10

func dependencies(label string) []string {
	var services []string
	label = label[:min(len(label), maxDependencies)]
	for entry := range strings.SplitSeq(label, ",") {
		service, _, _ := strings.Cut(strings.TrimSpace(entry), ":")
		if service != "" {
			services = append(services, service)
		}
	}
	slices.Sort(services)
	return slices.Compact(services)
}

// withPastNames is the identity with all names that it had, in its own memory or in ours.
func withPastNames(id *policy2.Identity, names []string) *policy2.Identity {
	past := slices.Clone(id.PastNames)
	for _, name := range names {
		if name != id.Name {
			past = append(past, name)
		}
	}
	slices.Sort(past)
	past = slices.Compact(past)
	if len(past) == len(id.PastNames) {
		return id
	}

	all := *id
	all.PastNames = past
	return &all
}

// forget drops identities that were not asked for in this round, once they are as many as those that were.
func (p *Program) forget(used int) {
	const slack = 64
	if len(p.known) <= 2*used+slack {
		return
	}
	for id, who := range p.known {
		if who.round != p.round {
			delete(p.known, id)
		}
	}
}
