package policyfile

import (
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"gestor.local/contract"
)

// decoder walks the syntax tree along the policy's fields and notes the line of each.
type decoder struct {
	problems   contract.Problems
	lines      map[string]int // path of a field → its line
	unreadable []string       // paths that could not be read
}

// newDecoder begins with the problems of the text.
func newDecoder(problems contract.Problems) decoder {
	d := decoder{lines: map[string]int{}}
	for _, p := range problems {
		d.addProblem(p.Where, p.Line, p.What, p.Hint)
	}
	return d
}

// sorted are all problems in the order of their lines.
func (d *decoder) sorted() contract.Problems {
	slices.SortStableFunc(d.problems, func(a, b contract.Problem) int { return a.Line - b.Line })
	return d.problems
}

func (d *decoder) addProblem(where string, line int, what, hint string) {
	d.problems = append(d.problems, contract.Problem{Where: where, Line: line, What: what, Hint: hint})
	d.unreadable = append(d.unreadable, where)
}

func (d *decoder) addNodeProblem(where string, node ast.Node, what, hint string) {
	d.addProblem(where, lineOfToken(node.GetToken()), what, hint)
}

// isReported says whether a problem at this path only repeats one that was found while decoding.
func (d *decoder) isReported(where string) bool {
	for _, w := range d.unreadable {
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

func (d *decoder) decodePolicy(node ast.Node, p *contract.Policy) {
	if _, ok := node.(ast.MapNode); !ok {
		d.addNodeProblem("", node, "is not a policy", "a policy is a list of key: value lines")
		return
	}
	d.decodeValue("", node, reflect.ValueOf(p).Elem())
}

// decodeValue reads one node into dst, by the kind of dst.
func (d *decoder) decodeValue(path string, node ast.Node, dst reflect.Value) {
	switch node.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		d.addNodeProblem(path, node, "anchors, aliases and tags are not part of a policy", "write the value itself")
		return
	case *ast.NullNode, nil:
		d.rejectEmpty(path, node)
		return
	}

	// A type with a written form of its own comes before its kind: a duration is an integer too.
	if text, ok := dst.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.decodeText(path, node, text)
		return
	}

	switch dst.Kind() {
	case reflect.Struct:
		d.decodeStruct(path, node, dst)
	case reflect.Map:
		d.decodeMap(path, node, dst)
	case reflect.Slice:
		d.decodeList(path, node, dst)
	case reflect.String:
		d.decodeString(path, node, dst)
	default:
		d.decodeInteger(path, node, dst)
	}
}

func (d *decoder) rejectEmpty(path string, node ast.Node) {
	line := d.lineOf(path)
	if node != nil {
		line = lineOfToken(node.GetToken())
	}
	d.addProblem(path, line, "has no value", "remove the key to take the default; [] and {} mean none")
}

// decodeStruct reads a mapping with a fixed set of keys.
func (d *decoder) decodeStruct(path string, node ast.Node, dst reflect.Value) {
	fields := map[string]int{}
	for i := range dst.NumField() {
		fields[dst.Type().Field(i).Tag.Get("yaml")] = i
	}

	d.eachPair(path, node, func(key, at string, pair *ast.MappingValueNode) {
		i, ok := fields[key]
		if !ok {
			d.addNodeProblem(at, pair.Key, "is not a key of a policy", suggestKey(key, fields))
			return
		}

		d.decodeValue(at, pair.Value, dst.Field(i))
	})
}

// decodeMap reads a mapping with free keys; what is written replaces the default as a whole.
func (d *decoder) decodeMap(path string, node ast.Node, dst reflect.Value) {
	out := reflect.MakeMap(dst.Type())
	d.eachPair(path, node, func(key, at string, pair *ast.MappingValueNode) {
		value := reflect.New(dst.Type().Elem()).Elem()
		d.decodeValue(at, pair.Value, value)
		out.SetMapIndex(reflect.ValueOf(key), value)
	})

	if out.Len() == 0 {
		out = reflect.Zero(dst.Type()) // one way to say none
	}
	dst.Set(out)
}

// eachPair visits each key once and reports doubled keys and keys that are not words.
func (d *decoder) eachPair(path string, node ast.Node, visit func(key, at string, pair *ast.MappingValueNode)) {
	mapping, ok := node.(ast.MapNode)
	if !ok {
		d.addNodeProblem(path, node, "is not a block of key: value lines", "indent its keys below it")
		return
	}
	for iter := mapping.MapRange(); iter.Next(); {
		pair := iter.KeyValue()
		name, ok := pair.Key.(*ast.StringNode)
		if !ok {
			d.addNodeProblem(path, pair.Key, fmt.Sprintf("%s is not a key", pair.Key.String()), "a key is a word; quote it if it looks like something else")
			continue
		}

		at := strings.TrimPrefix(path+"."+name.Value, ".")
		if first, ok := d.lines[at]; ok {
			d.addNodeProblem(at, name, fmt.Sprintf("stands twice, first on line %d", first), "keep one")
			continue
		}

		d.lines[at] = lineOfToken(name.GetToken())
		visit(name.Value, at, pair)
	}
}

// decodeList reads a sequence; what is written replaces the default as a whole.
func (d *decoder) decodeList(path string, node ast.Node, dst reflect.Value) {
	sequence, ok := node.(*ast.SequenceNode)
	if !ok {
		d.addNodeProblem(path, node, "is not a list", "[one, two] or one line per entry, each beginning with a dash")
		return
	}

	out := reflect.MakeSlice(dst.Type(), len(sequence.Values), len(sequence.Values))
	for i, entry := range sequence.Values {
		at := fmt.Sprintf("%s[%d]", path, i)

		// An entry that is not there has the line of its list.
		d.lines[at] = d.lineOf(path)
		if entry != nil {
			d.lines[at] = lineOfToken(entry.GetToken())
		}
		d.decodeValue(at, entry, out.Index(i))
	}

	if out.Len() == 0 {
		out = reflect.Zero(dst.Type()) // one way to say none
	}
	dst.Set(out)
}

// decodeText reads a value that has a written form of its own: a duration.
func (d *decoder) decodeText(path string, node ast.Node, dst encoding.TextUnmarshaler) {
	const hint = "a number with its unit: 500ms, 10s, 2m"
	word, ok := node.(*ast.StringNode)
	if !ok {
		d.addNodeProblem(path, node, fmt.Sprintf("%s is not a duration", excerpt(node)), hint)
		return
	}
	if err := dst.UnmarshalText([]byte(word.Value)); err != nil {
		d.addNodeProblem(path, node, fmt.Sprintf("%q is not a duration", word.Value), hint)
	}
}

func (d *decoder) decodeString(path string, node ast.Node, dst reflect.Value) {
	word, ok := node.(*ast.StringNode)
	if !ok {
		d.addNodeProblem(path, node, fmt.Sprintf("%s is not a word", excerpt(node)), "quote it if it is meant as text")
		return
	}
	dst.SetString(word.Value)
}

func (d *decoder) decodeInteger(path string, node ast.Node, dst reflect.Value) {
	n, ok := node.(*ast.IntegerNode)
	if !ok {
		d.addNodeProblem(path, node, fmt.Sprintf("%s is not a whole number", excerpt(node)), "digits only, in the unit that the key's name says")
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
		d.addNodeProblem(path, node, fmt.Sprintf("%s is out of range", excerpt(node)), "a whole number from 0 upwards")
	}
}

// excerpt is the source text of a scalar; of anything larger its first line.
func excerpt(node ast.Node) string {
	line, _, more := strings.Cut(strings.TrimSpace(node.String()), "\n")
	const maxLength = 40
	if len(line) > maxLength || more {
		line = strings.ToValidUTF8(line[:min(maxLength, len(line))], "") + " …"
	}
	return line
}

// suggestKey says which key was probably meant, or all of them when none is near.
func suggestKey[T any](key string, fields map[string]T) string {
	if near := nearestKey(key, fields); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return "one of: " + strings.Join(slices.Sorted(maps.Keys(fields)), ", ")
}

// nearestKey is the key that was probably meant, "" when none is near.
func nearestKey[T any](key string, fields map[string]T) string {
	best, distance := "", 1+maxEdits(len(key))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if n := editDistance(strings.ToLower(key), name); n < distance {
			best, distance = name, n
		}
	}
	return best
}

// maxEdits is how many letters may be wrong before a word is another one: two letters that changed places count twice.
func maxEdits(length int) int {
	if length <= 3 {
		return 1
	}
	return max(2, length/3)
}

// editDistance is the Levenshtein distance in bytes: insertions, deletions and substitutions that turn a into b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}

	// One row of the matrix is kept: row[j] is the distance of a[:i] and b[:j], diagonal that of the row before.
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}

			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
