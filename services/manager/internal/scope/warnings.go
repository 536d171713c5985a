// Package scope says what a policy comes to on a host: facts of it, seen by the policy. It asks nobody.
package scope

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// Warnings lists what is probably not meant in a policy on the host whose facts these are, each a line: beside
// policy2.Policy.Warnings, which does not ask the host. Of the facts only those are read that one question to the engine gives.
func Warnings(p policy2.Policy, f rules.Facts) []string {
	h := look(p, f)

	var out []string
	for _, find := range []func(*host) []string{
		(*host).protectsNothing, (*host).matchesNothing, (*host).ownsMost,
		(*host).countsProjects, (*host).endsRestarted, (*host).sparedProjects, (*host).partlyOwnProjects,
		(*host).socketMounters, (*host).neverIdle, (*host).deletedByStop, (*host).withoutLabel,
	} {
		out = append(out, find(h)...)
	}

	for i, text := range out {
		out[i] = contract.Printable(text)
	}
	return out
}

// host is the containers of a host as a policy sees them.
type host struct {
	policy *policy2.Policy
	suite  policy2.Suite
	all    []*container
	// projects are the members of each compose project, own or not.
	projects map[string][]*container
	own      int
}

type container struct {
	*rules.Container
	own, protected bool
	protectedBy    int // a selector of Protect, -1 for none
}

func look(p policy2.Policy, f rules.Facts) *host {
	h := &host{policy: &p, suite: f.Suite, projects: make(map[string][]*container)}
	for i := range f.Containers {
		c := &container{Container: &f.Containers[i], protectedBy: -1}
		if !c.InEngine { // of whom nothing is known
			continue
		}

		_, c.own = p.Owns(c.Identity, f.Suite)
		by, protected := p.Protects(c.Identity, f.Suite)
		c.protected = protected
		if protected {
			c.protectedBy = by.Selector
		}

		if c.own {
			h.own++
		}

		h.all = append(h.all, c)
		if project := c.Project(); project != "" {
			h.projects[project] = append(h.projects[project], c)
		}
	}
	return h
}

// speaksOf are the containers that the rule may act on, counted singly.
func (h *host) speaksOf(r policy2.Rule) (list []*container) {
	for _, c := range h.all {
		if c.own && !c.protected && h.policy.MatchesAny(r.Match, c.Identity) != policy2.False {
			list = append(list, c)
		}
	}
	return list
}

func count(list []*container, is func(*container) bool) int {
	n := 0
	for _, c := range list {
		if is(c) {
			n++
		}
	}
	return n
}

// eachRule asks of each rule with those it speaks of, "" being no warning, and leaves out those that speak of nobody.
func (h *host) eachRule(find func(r policy2.Rule, list []*container) string) (out []string) {
	for _, r := range h.policy.Rules {
		list := h.speaksOf(r)
		if len(list) == 0 {
			continue
		}

		if text := find(r, list); text != "" {
			out = append(out, text)
		}
	}
	return out
}

func (h *host) protectsNothing() (out []string) {
	for i := range h.policy.Protect {
		if h.protects(i) == 0 {
			out = append(out, fmt.Sprintf("protect[%d] %s PROTECTS NOTHING", i, h.policy.Protect[i].Values()))
		}
	}
	return out
}

// protects is how many containers a selector of protect matches, own or not.
func (h *host) protects(selector int) int {
	s := &h.policy.Protect[selector]
	return count(h.all, func(c *container) bool { return s.Protects(c.Identity, h.policy.Images) })
}

// matchesNothing does not speak of rules where nobody is own: then none speaks of anybody.
func (h *host) matchesNothing() (out []string) {
	for i := range h.policy.Own {
		s := &h.policy.Own[i]
		matches := func(c *container) bool { return s.Matches(c.Identity, h.policy.Images) == policy2.True }
		if count(h.all, matches) == 0 {
			out = append(out, fmt.Sprintf("own[%d] %s matches nothing", i, s.Values()))
		}
	}

	for _, r := range h.policy.Rules {
		matches := func(c *container) bool { return c.own && h.policy.MatchesAny(r.Match, c.Identity) != policy2.False }
		if h.own > 0 && count(h.all, matches) == 0 {
			out = append(out, fmt.Sprintf("rule %q matches nothing that is own", r.Name))
		}
	}
	return out
}

// ownsMost is not asked of a policy that owns what Gestor started: that may well be most of a host.
func (h *host) ownsMost() []string {
	if !h.policy.NeedsApproval() || 2*h.own <= len(h.all) {
		return nil
	}
	return []string{fmt.Sprintf("own matches %d of %d containers", h.own, len(h.all))}
}

// countsProjects warns where at least half of what is counted singly belongs together.
func (h *host) countsProjects() []string {
	return h.eachRule(func(r policy2.Rule, list []*container) string {
		n := count(list, func(c *container) bool { return c.Project() != "" })
		if r.Keep.IsZero() || r.Each == policy2.EachProject || 2*n < len(list) {
			return ""
		}
		return fmt.Sprintf("rule %q counts containers, %d of %d belong to compose projects", r.Name, n, len(list))
	})
}

// ends is what the rule's ladder does to a life: "" where it spares it.
func ends(r policy2.Rule) string {
	var words []string
	for _, step := range []policy2.Step{policy2.StepStop, policy2.StepRemove} {
		if r.Steps().Has(step) {
			words = append(words, string(step))
		}
	}
	return strings.Join(words, " or ")
}

// conditions are those under which the rule's steps are taken.
func conditions(r policy2.Rule) policy2.Conditions {
	if r.Keep.IsZero() {
		return r.When
	}
	return r.RestWhen
}

func (h *host) endsRestarted() []string {
	return h.eachRule(func(r policy2.Rule, list []*container) string {
		n := count(list, func(c *container) bool { return c.RestartPolicy.Known && c.RestartPolicy.Value != "no" })
		if conditions(r).Age == 0 || ends(r) == "" || n == 0 {
			return ""
		}
		return fmt.Sprintf("%d that rule %q would %s by age have a restart policy: meant to stay?", n, r.Name, ends(r))
	})
}

// wholeProjects are the projects that some rule for projects speaks of, sorted.
func (h *host) wholeProjects() (names []string) {
	for _, name := range slices.Sorted(maps.Keys(h.projects)) {
		members := h.projects[name]

		// A project of which nothing is own is nobody's to act on.
		if !slices.ContainsFunc(members, func(c *container) bool { return c.own }) {
			continue
		}

		speaks := func(r policy2.Rule) bool {
			matches := func(c *container) bool { return h.policy.MatchesAny(r.Match, c.Identity) != policy2.False }
			return r.Each == policy2.EachProject && ends(r) != "" && count(members, matches) == len(members)
		}
		if slices.ContainsFunc(h.policy.Rules, speaks) {
			names = append(names, name)
		}
	}
	return names
}

// sparedProjects counts, of each selector of protect, the projects of which it protects a part.
func (h *host) sparedProjects() (out []string) {
	spared := make(map[int]int)
	for _, name := range h.wholeProjects() {
		i := slices.IndexFunc(h.projects[name], func(c *container) bool { return c.protectedBy >= 0 })
		if i >= 0 {
			spared[h.projects[name][i].protectedBy]++
		}
	}

	for _, i := range slices.Sorted(maps.Keys(spared)) {
		out = append(out, fmt.Sprintf("%s spared by protect %s", plural(spared[i], "project is", "projects are"), h.policy.Protect[i].Values()))
	}
	return out
}

// maxNames is how many names a warning lists.
const maxNames = 5

func (h *host) partlyOwnProjects() []string {
	whole := h.wholeProjects()
	var names []string
	for _, name := range whole {
		if slices.ContainsFunc(h.projects[name], func(c *container) bool { return !c.own }) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}

	// A host may have hundreds of them, and the line has to be read.
	list := strings.Join(names[:min(len(names), maxNames)], ", ")
	if len(names) > maxNames {
		list += ", …"
	}

	return []string{fmt.Sprintf("%d of %d projects are own in part only, which spares them: %s", len(names), len(whole), list)}
}

// socketMounters counts those that would be own but for the socket.
func (h *host) socketMounters() []string {
	n := count(h.all, func(c *container) bool {
		free := *c.Identity
		free.Socket = policy2.Known(false)
		_, own := h.policy.Owns(&free, h.suite)
		return !c.own && !c.protected && c.Socket.Known && c.Socket.Value && own
	})
	if n == 0 {
		return nil
	}

	return []string{plural(n, "container mounts", "containers mount") + " the engine's socket, left out of own (socket: true)"}
}

func (h *host) neverIdle() []string {
	return h.eachRule(func(r policy2.Rule, list []*container) string {
		n := count(list, func(c *container) bool { return c.NetworkMode.Known && c.NetworkMode.Value == "host" })
		if conditions(r).Idle == 0 || n == 0 {
			return ""
		}
		return fmt.Sprintf("%d on the host's network, which rule %q never knows to be idle", n, r.Name)
	})
}

func (h *host) deletedByStop() []string {
	return h.eachRule(func(r policy2.Rule, list []*container) string {
		n := count(list, func(c *container) bool { return c.AutoRemove.Known && c.AutoRemove.Value })

		// Without a removal in the rule its stop is softened, unless it says that it may delete.
		switch {
		case !r.Steps().Has(policy2.StepStop) || n == 0:
			return ""
		case r.Steps().Has(policy2.StepRemove) || r.Rm == policy2.RmRemove:
			return fmt.Sprintf("%d with --rm: the stop of rule %q deletes them", n, r.Name)
		default:
			return fmt.Sprintf("%d with --rm: rule %q warns them, since a stop deletes them", n, r.Name)
		}
	})
}

func (h *host) withoutLabel() []string {
	return h.eachRule(func(r policy2.Rule, list []*container) string {
		key := r.Keep.Per.Label
		n := count(list, func(c *container) bool { return c.Labels[key] == "" })
		if r.Keep.Per.By != policy2.ByLabel || n == 0 {
			return ""
		}
		return fmt.Sprintf("label %s is missing on %d of %d, which rule %q does not touch", key, n, len(list), r.Name)
	})
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
