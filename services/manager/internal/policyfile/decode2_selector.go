package policyfile

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

func (d *decoder2) protect(path string, node ast.Node) {
	if _, ok := node.(ast.MapNode); !ok {
		d.selectors(path, node, &d.p.Protect)
		return
	}

	// In version 1 it was a mapping with the keys names and labels.
	d.eachPair(path, node, func(key, at string, pair *ast.MappingValueNode) {
		if key == "names" || key == "labels" {
			one := strings.TrimSuffix(key, "s")
			d.addNodeProblem(at, pair.Key, keyOfVersion1, fmt.Sprintf("write a selector for each: protect: [{%s: …}]", one))
			return
		}

		d.addNodeProblem(at, pair.Key, "stands in no list", fmt.Sprintf("protect: [{%s: %s}]", key, short(pair.Value)))
	})
}

// selectors reads a list of selectors; what is written replaces the default as a whole.
func (d *decoder2) selectors(path string, node ast.Node, dst *[]policy2.Selector) {
	out := []policy2.Selector{}
	ok := d.list(path, node, false, func(_ int, at string, entry ast.Node) { out = append(out, d.selector(at, entry)) })
	if ok {
		*dst = out
	}
}

// match reads the selectors of a rule: one, or a list.
func (d *decoder2) match(dst *[]policy2.Selector) func(string, ast.Node) {
	return func(path string, node ast.Node) {
		*dst = []policy2.Selector{}
		d.list(path, node, true, func(_ int, at string, entry ast.Node) { *dst = append(*dst, d.selector(at, entry)) })
	}
}

func (d *decoder2) selector(path string, node ast.Node) (s policy2.Selector) {
	d.mapping(path, node, "{label: KEY=VALUE}", keys{
		"label":  d.label(&s.Label),
		"labels": d.labels(&s.Labels),

		"network": d.globs(&s.Network),
		"image":   d.globs(&s.Image),
		"name":    d.globs(&s.Name),
		"project": d.globs(&s.Project),

		"class":  d.classes(&s.Class),
		"socket": d.socket(&s.Socket),
	})
	return s
}

func (d *decoder2) label(dst **policy2.Label) func(string, ast.Node) {
	return func(path string, node ast.Node) {
		if _, ok := node.(*ast.SequenceNode); ok {
			d.addNodeProblem(path, node, "label takes one value", "labels: [a, b] when all must be there, two selectors when any may")
			return
		}
		if l, ok := value(d, path, node, policy2.ParseLabel); ok {
			*dst = &l
		}
	}
}

func (d *decoder2) labels(dst *[]policy2.Label) func(string, ast.Node) {
	return func(path string, node ast.Node) {
		*dst = []policy2.Label{} // that it is written is known, whatever it holds
		d.list(path, node, false, func(_ int, at string, entry ast.Node) {
			l, _ := value(d, at, entry, policy2.ParseLabel)
			*dst = append(*dst, l)
		})
	}
}

// classes reads one class or a list of them.
func (d *decoder2) classes(dst *[]contract.Class) func(string, ast.Node) {
	return func(path string, node ast.Node) {
		*dst = []contract.Class{}
		d.list(path, node, true, func(_ int, at string, entry ast.Node) {
			var class contract.Class
			d.word(&class)(at, entry)
			*dst = append(*dst, class)
		})
	}
}

// socket reads true, which is all that can be said.
func (d *decoder2) socket(dst *bool) func(string, ast.Node) {
	return func(path string, node ast.Node) {
		if !d.plain(path, node) {
			return
		}

		*dst = true
		switch text, _ := scalar(node); text {
		case "true":
		case "false":
			d.addNodeProblem(path, node, "false is what holds without the key", "remove it")
		default:
			d.addNodeProblem(path, node, fmt.Sprintf("%s is not known", excerpt(node)), "true")
		}
	}
}

// globs reads one glob or a list of them. To YAML one that begins with * is an alias.
func (d *decoder2) globs(dst *[]string) func(string, ast.Node) {
	return func(path string, node ast.Node) {
		*dst = []string{}
		d.list(path, node, true, func(_ int, at string, entry ast.Node) {
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
