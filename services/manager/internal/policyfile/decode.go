package policyfile

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"gestor.local/contract"
)

// decoder walks the syntax tree along the policy's fields and remembers where each was written.
type decoder struct {
	problems contract.Problems
	lines    map[string]int // path of a field → its line
	wrong    []string       // paths that could not be read
}

func (d *decoder) report(where string, line int, what, hint string) {
	d.problems = append(d.problems, contract.Problem{Where: where, Line: line, What: what, Hint: hint})
	d.wrong = append(d.wrong, where)
}

func (d *decoder) refuse(where string, node ast.Node, what, hint string) {
	d.report(where, lineOfToken(node.GetToken()), what, hint)
}

// broken says whether a problem at this path only repeats one that was reported while reading.
func (d *decoder) broken(where string) bool {
	for _, w := range d.wrong {
		if w == "" || w == where || strings.HasPrefix(w, where+".") || strings.HasPrefix(w, where+"[") ||
			strings.HasPrefix(where, w+".") || strings.HasPrefix(where, w+"[") {
			return true
		}
	}
	return false
}

// lineOf is the line of the field, or of the nearest field around it that was written; 0 when all are defaults.
func (d *decoder) lineOf(where string) int {
	for where != "" {
		if line, ok := d.lines[where]; ok {
			return line
		}
		where = where[:max(0, strings.LastIndexAny(where, ".["))]
	}
	return 0
}

func (d *decoder) root(node ast.Node, p *contract.Policy) {
	if _, ok := node.(ast.MapNode); !ok {
		d.refuse("", node, "is not a policy", "a policy is a list of key: value lines")
		return
	}
	d.value("", node, reflect.ValueOf(p).Elem())
}

// value reads one node into dst, by the kind of dst.
func (d *decoder) value(path string, node ast.Node, dst reflect.Value) {
	switch node.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		d.refuse(path, node, "anchors, aliases and tags are not part of a policy", "write the value itself")
		return
	case *ast.NullNode, nil:
		d.empty(path, node)
		return
	}
	if text, ok := dst.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.text(path, node, text)
		return
	}
	switch dst.Kind() {
	case reflect.Struct:
		d.structure(path, node, dst)
	case reflect.Map:
		d.mapping(path, node, dst)
	case reflect.Slice:
		d.list(path, node, dst)
	case reflect.String:
		d.word(path, node, dst)
	default:
		d.number(path, node, dst)
	}
}

func (d *decoder) empty(path string, node ast.Node) {
	line := d.lineOf(path)
	if node != nil {
		line = lineOfToken(node.GetToken())
	}
	d.report(path, line, "has no value", "remove the key to take the default; [] and {} mean none")
}

// structure reads a mapping with a fixed set of keys.
func (d *decoder) structure(path string, node ast.Node, dst reflect.Value) {
	fields := map[string]int{}
	for i := range dst.NumField() {
		fields[dst.Type().Field(i).Tag.Get("yaml")] = i
	}
	d.pairs(path, node, func(key, at string, pair *ast.MappingValueNode) {
		i, ok := fields[key]
		if !ok {
			d.refuse(at, pair.Key, "is not a key of a policy", nearest(key, fields))
			return
		}
		d.value(at, pair.Value, dst.Field(i))
	})
}

// mapping reads a mapping with free keys; what is written replaces the default as a whole.
func (d *decoder) mapping(path string, node ast.Node, dst reflect.Value) {
	out := reflect.MakeMap(dst.Type())
	d.pairs(path, node, func(key, at string, pair *ast.MappingValueNode) {
		value := reflect.New(dst.Type().Elem()).Elem()
		d.value(at, pair.Value, value)
		out.SetMapIndex(reflect.ValueOf(key), value)
	})
	if out.Len() == 0 {
		out = reflect.Zero(dst.Type()) // one way to say none
	}
	dst.Set(out)
}

// pairs visits each key once and reports doubled keys and keys that are not words.
func (d *decoder) pairs(path string, node ast.Node, visit func(key, at string, pair *ast.MappingValueNode)) {
	mapping, ok := node.(ast.MapNode)
	if !ok {
		d.refuse(path, node, "is not a block of key: value lines", "indent its keys below it")
		return
	}
	for iter := mapping.MapRange(); iter.Next(); {
		pair := iter.KeyValue()
		name, ok := pair.Key.(*ast.StringNode)
		if !ok {
			d.refuse(path, pair.Key, fmt.Sprintf("%s is not a key", pair.Key.String()), "a key is a word; quote it if it looks like something else")
			continue
		}
		at := strings.TrimPrefix(path+"."+name.Value, ".")
		if first, ok := d.lines[at]; ok {
			d.refuse(at, name, fmt.Sprintf("stands twice, first on line %d", first), "keep one")
			continue
		}
		d.lines[at] = lineOfToken(name.GetToken())
		visit(name.Value, at, pair)
	}
}

// list reads a sequence; what is written replaces the default as a whole.
func (d *decoder) list(path string, node ast.Node, dst reflect.Value) {
	sequence, ok := node.(*ast.SequenceNode)
	if !ok {
		d.refuse(path, node, "is not a list", "[one, two] or one line per entry, each beginning with a dash")
		return
	}
	out := reflect.MakeSlice(dst.Type(), len(sequence.Values), len(sequence.Values))
	for i, entry := range sequence.Values {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.lines[at] = d.lineOf(path)
		if entry != nil {
			d.lines[at] = lineOfToken(entry.GetToken())
		}
		d.value(at, entry, out.Index(i))
	}
	if out.Len() == 0 {
		out = reflect.Zero(dst.Type()) // one way to say none
	}
	dst.Set(out)
}
