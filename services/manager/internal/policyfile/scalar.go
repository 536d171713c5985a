package policyfile

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// text reads a value that has a written form of its own: a duration.
func (d *decoder) text(path string, node ast.Node, dst encoding.TextUnmarshaler) {
	const hint = "a number with its unit: 500ms, 10s, 2m"
	word, ok := node.(*ast.StringNode)
	if !ok {
		d.refuse(path, node, fmt.Sprintf("%s is not a duration", shown(node)), hint)
		return
	}
	if err := dst.UnmarshalText([]byte(word.Value)); err != nil {
		d.refuse(path, node, fmt.Sprintf("%q is not a duration", word.Value), hint)
	}
}

func (d *decoder) word(path string, node ast.Node, dst reflect.Value) {
	word, ok := node.(*ast.StringNode)
	if !ok {
		d.refuse(path, node, fmt.Sprintf("%s is not a word", shown(node)), "quote it if it is meant as text")
		return
	}
	dst.SetString(word.Value)
}

func (d *decoder) number(path string, node ast.Node, dst reflect.Value) {
	n, ok := node.(*ast.IntegerNode)
	if !ok {
		d.refuse(path, node, fmt.Sprintf("%s is not a whole number", shown(node)), "digits only, in the unit that the key's name says")
		return
	}
	value := reflect.ValueOf(n.Value) // int64 or uint64, as the parser found it
	switch {
	case value.CanInt() && dst.CanInt() && !dst.OverflowInt(value.Int()):
		dst.SetInt(value.Int())
	case value.CanUint() && dst.CanUint():
		dst.SetUint(value.Uint())
	case value.CanInt() && dst.CanUint() && value.Int() >= 0:
		dst.SetUint(uint64(value.Int()))
	case value.CanUint() && dst.CanInt() && value.Uint() <= 1<<31-1:
		dst.SetInt(int64(value.Uint()))
	default:
		d.refuse(path, node, fmt.Sprintf("%s is out of range", shown(node)), "a whole number from 0 upwards")
	}
}

// shown is the source text of a scalar; of anything larger its first line.
func shown(node ast.Node) string {
	line, _, more := strings.Cut(strings.TrimSpace(node.String()), "\n")
	const most = 40
	if len(line) > most || more {
		line = strings.ToValidUTF8(line[:min(most, len(line))], "") + " …"
	}
	return line
}
