package policyfile

import (
	"fmt"
	"slices"

	"github.com/goccy/go-yaml/ast"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

func (d *decoder2) rules(path string, node ast.Node) {
	rules := []policy2.Rule{}
	lines := map[string]int{} // of the first rule of each name
	ok := d.list(path, node, false, func(_ int, at string, entry ast.Node) {
		r := d.rule(at, entry)
		rules = append(rules, r)

		line := d.lineOf(at + ".name")
		if first, ok := lines[r.Name]; ok && r.Name != "" {
			d.addProblem(at+".name", line, fmt.Sprintf("stands twice, first on line %d", first), "")
			return
		}
		lines[r.Name] = line
	})

	if ok {
		d.p.Rules = rules
	}
}

func (d *decoder2) rule(path string, node ast.Node) (r policy2.Rule) {
	_, d.keeps = find(node, "keep")
	d.mapping(path, node, "{name: old, when: {age: 4h}, do: remove}", keys{
		"name":  d.word(&r.Name),
		"match": d.match(&r.Match),
		"each":  d.word(&r.Each),
		"when":  d.conditions(&r.When),
		"do":    d.ladder(&r.Do),

		"keep":      d.keep(&r.Keep),
		"rest_when": d.conditions(&r.RestWhen),
		"rest":      d.ladder(&r.Rest),

		"calm":    optional(d, "calm", &r.Calm, policy2.ParseDuration),
		"volumes": d.only(&r.Volumes, policy2.VolumesAnonymous),
		"rm":      d.only(&r.Rm, policy2.RmRemove),
	})

	throttles := r.Do.Has(policy2.StepThrottle) || r.Rest.Has(policy2.StepThrottle)
	if _, written := d.lines[path+".calm"]; !written && throttles {
		r.Calm = policy2.DefaultCalm
	}
	return r
}

// only reads the word of a key that has only this one; an empty text would be none.
func (d *decoder2) only(dst *string, word string) func(string, ast.Node) {
	return func(path string, node ast.Node) {
		d.word(dst)(path, node)
		if s, ok := node.(*ast.StringNode); ok && s.Value == "" {
			d.addNodeProblem(path, node, `"" is not known`, word)
		}
	}
}

func (d *decoder2) conditions(dst *policy2.Conditions) func(string, ast.Node) {
	return func(path string, node ast.Node) {
		ok := d.mapping(path, node, "{age: 4h}", keys{
			"age":  optional(d, "age", &dst.Age, policy2.ParseDuration),
			"idle": optional(d, "idle", &dst.Idle, policy2.ParseDuration),

			"cpu":       optional(d, "cpu", &dst.CPU, policy2.ParsePercent),
			"ram":       optional(d, "ram", &dst.RAM, parseMemory),
			"processes": d.processes(&dst.Processes),
			"restarts":  optional(d, "restarts", &dst.Restarts, policy2.ParseRestarts),

			"ended":   optional(d, "ended", &dst.Ended, policy2.ParseDuration),
			"expired": d.expired(&dst.Expired),
			"for":     optional(d, "for", &dst.For, policy2.ParseDuration),
		})

		if ok && isEmpty(node) {
			d.addNodeProblem(path, node, "is empty", "leave it out to mean always")
		}
	}
}

// isEmpty says whether a mapping has no key.
func isEmpty(node ast.Node) bool {
	mapping, ok := node.(ast.MapNode)
	return ok && !mapping.MapRange().Next()
}

// parseMemory reads a size with its unit, or a percent: a number alone would be bytes, which nobody means.
func parseMemory(text string) (policy2.Memory, error) {
	m, err := policy2.ParseMemory(text)
	if err == nil && m.Percent == 0 && m.Size > 0 && fmt.Sprint(int64(m.Size)) == text {
		_, err = policy2.ParseMemory(text + " bytes")
		return m, contract.Problems{{What: fmt.Sprintf("%q is neither a size nor a percent", text), Hint: hintOf(err)}}
	}
	return m, err
}

func (d *decoder2) processes(dst *int) func(string, ast.Node) {
	return func(path string, node ast.Node) {
		before := len(d.problems)
		d.integer(dst)(path, node)
		if *dst == 0 && len(d.problems) == before {
			d.outOfRange(path, node, "processes")
		}
	}
}

func (d *decoder2) expired(dst *string) func(string, ast.Node) {
	return func(path string, node ast.Node) {
		d.word(dst)(path, node)
		if s, ok := node.(*ast.StringNode); ok && s.Value == "" {
			d.addNodeProblem(path, node, `"" is not the key of a label`, "such as ci.ttl")
		}
	}
}

// ladder reads a step, or a list of steps with their waits.
func (d *decoder2) ladder(dst *policy2.Ladder) func(string, ast.Node) {
	return func(path string, node ast.Node) {
		*dst = policy2.Ladder{} // that it is written is known, whatever it holds
		if !d.plain(path, node) {
			return
		}

		d.list(path, node, true, func(i int, at string, entry ast.Node) {
			rung := policy2.Rung{}
			if _, ok := entry.(ast.MapNode); ok {
				rung = d.waitingStep(at, entry, i == 0)
			} else {
				text(d, &rung, policy2.ParseStep)(at, entry)
			}
			*dst = append(*dst, rung)
		})
	}
}

// waitingStep reads {after: DURATION, do: STEP}, the form of every step but the first.
func (d *decoder2) waitingStep(path string, node ast.Node, first bool) (rung policy2.Rung) {
	var after policy2.Duration
	d.mapping(path, node, "{after: 24h, do: stop}", keys{
		"after": d.duration("after", &after),
		"do":    text(d, &rung, policy2.ParseStep),
	})
	rung.After = after

	if _, ok := find(node, "do"); !ok {
		d.addNodeProblem(path+".do", node, "is missing", "keep, warn, throttle, stop, remove")
	}
	if first && after == 0 {
		d.addNodeProblem(path, node, "the first step is a bare word", "such as [warn, {after: 24h, do: stop}]")
	}
	return rung
}

// keep reads the order of those that stay with their number, and what groups them.
func (d *decoder2) keep(dst *policy2.Keep) func(string, ast.Node) {
	return func(path string, node ast.Node) {
		var orders []policy2.Order
		ks := keys{"per": text(d, &dst.Per, policy2.ParsePer)}
		for _, order := range policy2.Orders() {
			ks[string(order)] = func(path string, node ast.Node) {
				orders = append(orders, order)
				d.integer(&dst.Places)(path, node)
			}
		}

		if d.mapping(path, node, "{newest: 2}", ks) {
			d.keepOrders(path, node, orders)
		}

		// What else there is to say about a rule that keeps does not depend on what it keeps.
		if len(orders) != 1 {
			dst.Order, dst.Places = policy2.Newest, 1
			return
		}
		dst.Order = orders[0]
	}
}

// keepOrders refuses all but one order.
func (d *decoder2) keepOrders(path string, node ast.Node, orders []policy2.Order) {
	has := func(a, b policy2.Order) bool { return slices.Contains(orders, a) && slices.Contains(orders, b) }
	switch {
	case len(orders) == 0 && d.readAll(path):
		d.addNodeProblem(path, node, "keeps nothing", "give it a number, or use do")

	case len(orders) > 2:
		d.addNodeProblem(path, node, fmt.Sprintf("%d orders", len(orders)), "one of lightest, heaviest, newest, oldest")

	case has(policy2.Lightest, policy2.Heaviest):
		d.addNodeProblem(path, node, "two ends: lightest and heaviest", "a version 1 file with classify: rank")

	case has(policy2.Newest, policy2.Oldest):
		d.addNodeProblem(path, node, "two ends: newest and oldest", "one of them")

	case len(orders) == 2:
		d.addNodeProblem(path, node, fmt.Sprintf("two orders: %s and %s", orders[0], orders[1]), "one of them")
	}
}
