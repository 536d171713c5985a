package policyfile

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

func (d *decoder2) own(p *policy2.Policy) func(string, ast.Node) {
	return func(path string, node ast.Node) { d.selectors(path, node, &p.Own) }
}

func (d *decoder2) protect(p *policy2.Policy) func(string, ast.Node) {
	return func(path string, node ast.Node) {
		if _, ok := node.(ast.MapNode); !ok {
			d.selectors(path, node, &p.Protect)
			return
		}

		// In version 1 it was a mapping with the keys names and labels.
		d.eachPair(path, node, func(key, at string, pair *ast.MappingValueNode) {
			switch key {
			case "names", "labels":
				one := key[:len(key)-1]
				d.addNodeProblem(at, pair.Key, "is a key of version 1", fmt.Sprintf("write a selector for each: protect: [{%s: …}]", one))
			default:
				d.addNodeProblem(at, pair.Key, "stands in no list", fmt.Sprintf("protect: [{%s: %s}]", key, short(pair.Value)))
			}
		})
	}
}

// selectors reads a list of selectors; what is written replaces the default as a whole.
func (d *decoder2) selectors(path string, node ast.Node, dst *[]policy2.Selector) {
	out := []policy2.Selector{}
	ok := d.list(path, node, false, func(_, _ int, at string, entry ast.Node) { out = append(out, d.selector(at, entry)) })
	if ok {
		*dst = out
	}
}

// match reads the selectors of a rule: one, or a list.
func (d *decoder2) match(dst *[]policy2.Selector) func(string, ast.Node) {
	return func(path string, node ast.Node) {
		*dst = []policy2.Selector{}
		d.list(path, node, true, func(_, _ int, at string, entry ast.Node) { *dst = append(*dst, d.selector(at, entry)) })
	}
}

func (d *decoder2) selector(path string, node ast.Node) (s policy2.Selector) {
	d.mapping(path, node, "{label: KEY=VALUE}", keys{
		"label": func(path string, node ast.Node) {
			if _, ok := node.(*ast.SequenceNode); ok {
				d.addNodeProblem(path, node, "label takes one value", "labels: [a, b] when all must be there, two selectors when any may")
			} else if l, ok := d.label(path, node); ok {
				s.Label = &l
			}
		},

		"labels": func(path string, node ast.Node) {
			s.Labels = []policy2.Label{}
			d.list(path, node, false, func(_, _ int, at string, entry ast.Node) {
				l, _ := d.label(at, entry)
				s.Labels = append(s.Labels, l)
			})
		},

		"network": d.globs(&s.Network),
		"image":   d.globs(&s.Image),
		"name":    d.globs(&s.Name),
		"project": d.globs(&s.Project),

		"class": func(path string, node ast.Node) {
			s.Class = []contract.Class{}
			d.list(path, node, true, func(_, _ int, at string, entry ast.Node) {
				var class contract.Class
				d.word(&class)(at, entry)
				s.Class = append(s.Class, class)
			})
		},

		"socket": func(path string, node ast.Node) {
			if d.plain(path, node) {
				s.Socket = d.socket(path, node)
			}
		},
	})
	return s
}

func (d *decoder2) label(path string, node ast.Node) (policy2.Label, bool) {
	return value(d, path, node, policy2.ParseLabel)
}

func (d *decoder2) socket(path string, node ast.Node) bool {
	switch text, _ := scalar(node); text {
	case "true":
	case "false":
		d.addNodeProblem(path, node, "false is what holds without the key", "remove it")
	default:
		d.addNodeProblem(path, node, fmt.Sprintf("%s is not known", excerpt(node)), "true")
	}
	return true
}

// globs reads one glob or a list of them. To YAML one that begins with * is an alias.
func (d *decoder2) globs(dst *[]string) func(string, ast.Node) {
	return func(path string, node ast.Node) {
		*dst = []string{}
		d.list(path, node, true, func(_, _ int, at string, entry ast.Node) {
			if alias, ok := entry.(*ast.AliasNode); ok && alias.Value != nil {
				d.addNodeProblem(at, entry, needsQuotes("*"+alias.Value.GetToken().Value), "")
				return
			}

			var glob string
			d.word(&glob)(at, entry)
			*dst = append(*dst, glob)
		})
	}
}

func needsQuotes(glob string) string {
	return fmt.Sprintf("a glob that begins with * needs quotes: %q", glob)
}
