package contract

import (
	"fmt"
	"strconv"
)

// decoder fills Go values from a JSON text. Errors of the text itself stick in the scanner and lose the document; values
// that are missing or of the wrong kind become problems, which the caller charges to the document or to one row.
type decoder struct {
	scanner
	problems Problems
	rows     RowProblems // problems of the snapshot's container rows
	path     []step      // of the value that is being read
}

// step is one part of a path: a member's name, or the index of an element when the name is empty.
type step struct {
	name  string
	index int
}

// field is one member of an object of type T. A table of them is the object's schema.
type field[T any] struct {
	name     string
	optional bool
	read     func(*decoder, *T)
}

// object reads a JSON object into v by its schema. Unknown members are checked and dropped.
func object[T any](d *decoder, schema []field[T], v *T) {
	if d.peek() != '{' {
		d.mismatch("object")
		return
	}

	var seen uint64 // schemas have fewer than 64 members
	var unknown keySet
	next := 0
	d.open('{')
	for first := true; d.more('}', first); first = false {
		key := d.key()
		i := find(schema, key, next)
		if i < 0 {
			d.skipUnknown(key, &unknown)
			continue
		}

		// A name twice loses the document: two readers might take one value each.
		if seen&(1<<i) != 0 {
			d.fail(fmt.Errorf("%w %q", ErrDuplicate, key))
			return
		}
		seen |= 1 << i

		d.path = append(d.path, step{name: schema[i].name})
		schema[i].read(d, v)
		d.path = d.path[:len(d.path)-1]
		next = i + 1
	}
	missing(d, schema, seen)
}

// find looks at the expected place first: our writers keep the schema's order.
func find[T any](schema []field[T], key []byte, next int) int {
	if next < len(schema) && schema[next].name == string(key) {
		return next
	}
	for i := range schema {
		if schema[i].name == string(key) {
			return i
		}
	}
	return -1
}

// skipUnknown checks the value of a member that no schema knows: a newer writer of the same version may have it.
func (d *decoder) skipUnknown(key []byte, unknown *keySet) {
	if d.err == nil && !unknown.add(key) {
		d.fail(fmt.Errorf("%w %q", ErrDuplicate, key))
		return
	}
	d.skip()
}

// missing notes the members that have to be there and are not.
func missing[T any](d *decoder, schema []field[T], seen uint64) {
	if d.err != nil {
		return
	}
	for i := range schema {
		if seen&(1<<i) == 0 && !schema[i].optional {
			d.problem(schema[i].name, "missing")
		}
	}
}

// list reads an array; element reads one of its values.
func list(d *decoder, element func()) {
	if d.peek() != '[' {
		d.mismatch("list")
		return
	}

	d.open('[')
	for i := 0; d.more(']', i == 0); i++ {
		d.path = append(d.path, step{index: i})
		element()
		d.path = d.path[:len(d.path)-1]
	}
}

// problem notes what is wrong with a member of the object that is being read ("" for the value itself).
func (d *decoder) problem(name, what string) {
	var path []byte
	for _, s := range d.path {
		if s.name == "" {
			path = append(strconv.AppendInt(append(path, '['), int64(s.index), 10), ']')
			continue
		}
		path = appendName(path, s.name)
	}
	d.problems.Add(string(appendName(path, name)), what)
}

func appendName(path []byte, name string) []byte {
	if len(path) > 0 && name != "" {
		path = append(path, '.')
	}
	return append(path, name...)
}

// mismatch notes that the next value is not what the schema wants, and skips it.
func (d *decoder) mismatch(want string) {
	start := d.pos
	d.skip()
	if d.err != nil {
		return // the text itself is at fault
	}

	const shown = 32 // enough to recognise the value, too short to carry one that is not for a log
	got := d.data[start:d.pos]
	if len(got) > shown {
		got = got[:shown]
	}
	d.problem("", "want "+want+", found "+strconv.Quote(string(got)))
}

// uint reads a non-negative integer.
func (d *decoder) uint() uint64 {
	c := d.peek()
	if c-'0' > 9 {
		d.mismatch("a whole number, 0 or more")
		return 0
	}

	start := d.pos
	text := d.number()
	n, err := parseUint(text)
	if err != nil {
		d.pos = start
		d.mismatch("a whole number, 0 or more")
	}
	return n
}

// parseUint refuses fractions and exponents, also where their value is whole: our writers never use them.
func parseUint(text []byte) (n uint64, err error) {
	const safe = 19 // digits that cannot overflow 64 bits
	if len(text) > safe {
		return strconv.ParseUint(string(text), 10, 64)
	}

	for _, c := range text {
		if c -= '0'; c > 9 {
			return 0, strconv.ErrSyntax
		}
		n = n*10 + uint64(c)
	}
	return n, nil
}

// optionalUint reads a figure that may be absent.
func (d *decoder) optionalUint() *uint64 {
	n := d.uint()
	return &n
}

// int reads a count or identifier; more than 2^31-1 of anything here is a broken document.
func (d *decoder) int() int {
	const most = 1<<31 - 1
	start := d.pos
	n := d.uint()
	if n > most && d.err == nil {
		d.pos = start
		d.mismatch("a whole number below 2^31")
		return 0
	}
	return int(n)
}

func (d *decoder) bool() bool {
	switch d.peek() {
	case 't':
		d.literal()
		return d.err == nil

	case 'f':
		d.literal()

	default:
		d.mismatch("true or false")
	}
	return false
}

func (d *decoder) text() string {
	if d.peek() != '"' {
		d.mismatch("text")
		return ""
	}
	return string(d.string())
}
