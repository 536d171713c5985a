package line

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"gestor.local/contract/jsonlex"
)

// Bounds of a record beyond its size. They keep a hostile record from costing more than its bytes.
const (
	maxDepth  = 16  // nesting; the contract needs 3
	maxFields = 128 // fields of one object that the contract does not know
)

// scanner checks JSON in one pass and copies it without insignificant whitespace. It accepts less than encoding/json:
// duplicate keys, keys that differ from a known one only in case, null for a known field, invalid UTF-8 and unpaired
// surrogates are errors, because two readers would read them differently.
//
// The copy is out followed by src[from:pos]: what is stored as it came is copied in one piece.
type scanner struct {
	src  []byte
	pos  int
	out  []byte
	from int
}

// reset begins with another text.
func (s *scanner) reset(src []byte) { s.src, s.pos, s.out, s.from = src, 0, s.out[:0], 0 }

// replace puts text into the copy instead of src[start:pos], which holds no whitespace.
func (s *scanner) replace(start int, text []byte) {
	s.out = append(append(s.out, s.src[s.from:start]...), text...)
	s.from = s.pos
}

// mark is a place in the copy.
type mark struct{ length, from, pos int }

func (s *scanner) mark() mark { return mark{len(s.out), s.from, s.pos} }

// cut leaves what was scanned since the mark out of the copy.
func (s *scanner) cut(since mark) {
	s.out = append(s.out[:since.length], s.src[since.from:since.pos]...)
	s.from = s.pos
}

// appendRest appends the members of the top-level object, closed just now, that are left in the copy, each behind a comma.
func (s *scanner) appendRest(dst []byte) []byte {
	last := s.src[s.from : s.pos-1] // without the closing brace
	if len(s.out) > 0 && s.out[0] != ',' || len(s.out) == 0 && len(last) > 0 && last[0] != ',' {
		dst = append(dst, ',') // the first member of all has none
	}
	return append(append(dst, s.out...), last...)
}

// syntaxError is what is wrong with the text and where.
type syntaxError struct {
	path string
	what string
}

func (e *syntaxError) Error() string {
	if e.path == "" {
		return e.what
	}
	return e.path + ": " + e.what
}

func (s *scanner) fail(format string, args ...any) error {
	return &syntaxError{what: fmt.Sprintf(format, args...)}
}

// atField adds the name of the field to an error on its way up.
func atField(name string, err error) error {
	var e *syntaxError
	if errors.As(err, &e) {
		if e.path == "" {
			e.path = name
		} else {
			e.path = name + "." + e.path
		}
	}
	return err
}

// space leaves insignificant whitespace out of the copy.
func (s *scanner) space() {
	start := s.pos
	for s.pos < len(s.src) {
		switch s.src[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
			continue
		}
		break
	}
	if s.pos > start {
		s.replace(start, nil)
	}
}

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.pos < len(s.src) {
		return s.src[s.pos]
	}
	return 0
}

// value checks one value against a schema.
func (s *scanner) value(want *schema, depth int) error {
	if want != nil && want.shape != shapeAny {
		return s.typed(want, depth)
	}

	switch c := s.peek(); {
	case c == '{':
		return s.object(nil, depth)
	case c == '[':
		return s.array(nil, depth)
	case c == '"':
		return s.text()
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	default:
		return s.literal()
	}
}

func (s *scanner) typed(want *schema, depth int) error {
	c := s.peek()
	start := s.pos

	switch {
	case want.shape == shapeString && c == '"':
		return s.text()
	case want.shape == shapeTime && c == '"':
		return s.text() // the caller reads it

	case want.shape == shapeObject && c == '{':
		return s.object(want, depth)
	case want.shape == shapeArray && c == '[':
		return s.array(want.elem, depth)

	case want.shape == shapeBool && (c == 't' || c == 'f'):
		return s.literal()
	case want.shape == shapeUint && s.shortInteger():
		return nil
	case want.shape == shapeUint && c >= '0' && c <= '9', want.shape == shapeInt && (c == '-' || c >= '0' && c <= '9'):
		if err := s.number(); err != nil {
			return err
		}
		return s.checkInteger(s.src[start:s.pos], want)

	case c == 'n':
		return s.fail("is null; leave the field out instead")
	default:
		return s.fail("is not %s", shapeNames[want.shape])
	}
}

// shortInteger moves past a whole number that certainly fits; false leaves anything else to number, which says what is wrong.
func (s *scanner) shortInteger() bool {
	rest := s.src[s.pos:]
	n := 0
	for n < len(rest) && rest[n]-'0' <= 9 {
		n++
	}

	if n == 0 || n > safeDigits || rest[0] == '0' && n > 1 || n < len(rest) && (rest[n] == '.' || rest[n]|0x20 == 'e') {
		return false
	}
	s.pos += n
	return true
}

// safeDigits is how many digits a number may have and certainly be within every bound.
const safeDigits = 15

// checkInteger checks that a number is an integer that fits.
func (s *scanner) checkInteger(b []byte, want *schema) error {
	if len(b) <= safeDigits && isDigits(b) {
		return nil
	}

	var size uint64
	var err error
	if want.shape == shapeUint {
		err = json.Unmarshal(b, &size)
	} else {
		var v int64
		err = json.Unmarshal(b, &v)
		size = uint64(max(v, -v))
	}

	switch {
	case err != nil:
		return s.fail("is not %s", shapeNames[want.shape])
	case size > want.most:
		return s.fail("is beyond %d, the largest figure that is stored", want.most)
	}
	return nil
}

func isDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func (s *scanner) array(elem *schema, depth int) error {
	if depth >= maxDepth {
		return s.fail("is nested more than %d deep", maxDepth)
	}
	s.pos++

	for first := true; ; first = false {
		s.space()
		if first && s.peek() == ']' {
			s.pos++
			return nil
		}
		if err := s.value(elem, depth+1); err != nil {
			return atField("[]", err)
		}

		s.space()
		c := s.peek()
		if c != ',' && c != ']' {
			return s.fail("is not JSON: want , or ] at byte %d", s.pos)
		}
		s.pos++
		if c == ']' {
			return nil
		}
	}
}

func (s *scanner) object(want *schema, depth int) error {
	if depth >= maxDepth {
		return s.fail("is nested more than %d deep", maxDepth)
	}
	s.pos++

	var keys keySet
	for first := true; ; first = false {
		key, child, done, err := s.field(&keys, want, first)
		if err != nil || done {
			return err
		}

		if err := s.value(child, depth+1); err != nil {
			return atField(key, err)
		}
	}
}

// field reads the name of the next field, whose schema is nil when the contract does not know it, or the end of the object.
func (s *scanner) field(keys *keySet, object *schema, first bool) (name string, child *schema, done bool, err error) {
	// The field that usually comes now, written as encoding/json writes it, is known by its bytes.
	if !first && s.peek() == ',' {
		if child, n := keys.expected(object, s.src[s.pos+1:]); child != nil {
			s.pos += 1 + n
			s.space()
			return child.name, child, false, nil
		}
	}

	if name, done, err = s.key(first); err != nil || done {
		return name, nil, done, err
	}
	child, err = keys.add(object, name)
	return name, child, false, err
}

// key reads `"name":` or the end of the object. Between members it wants a comma.
func (s *scanner) key(first bool) (name string, done bool, err error) {
	s.space()
	if s.peek() == '}' {
		s.pos++
		return "", true, nil
	}
	if !first {
		if s.peek() != ',' {
			return "", false, s.fail("is not JSON: want , or } at byte %d", s.pos)
		}
		s.pos++
		s.space()
	}

	start := s.pos
	if s.peek() != '"' {
		return "", false, s.fail("is not JSON: want a field name at byte %d", s.pos)
	}
	escaped, err := s.skipString()
	if err != nil {
		return "", false, err
	}

	// A name with an escape is stored as encoding/json would write it: readers look for the bytes of a name.
	raw := s.src[start:s.pos]
	name = unsafeString(raw[1 : len(raw)-1])
	if escaped {
		name = unquote(raw)
		s.replace(start, canonical(raw))
	}

	s.space()
	if s.peek() != ':' {
		return "", false, s.fail("is not JSON: want : at byte %d", s.pos)
	}
	s.pos++
	s.space()
	return name, false, nil
}

func (s *scanner) text() error {
	_, err := s.skipString()
	return err
}

// skipString moves past the string at pos; escaped says that it holds a backslash.
func (s *scanner) skipString() (escaped bool, err error) {
	start := s.pos
	n, escaped, wide, fault := jsonlex.String(s.src[start:])
	s.pos += n // also with a fault: then that is where it stands
	if fault != jsonlex.None {
		return escaped, s.stringError(fault)
	}
	if wide && !utf8.Valid(s.src[start:s.pos]) {
		return escaped, s.fail("is not UTF-8")
	}
	return escaped, nil
}

// stringError says what is wrong with the string whose fault is at pos.
func (s *scanner) stringError(fault jsonlex.Fault) error {
	switch fault {
	case jsonlex.ControlByte:
		return s.fail("has the control byte 0x%02x in a string at byte %d", s.src[s.pos], s.pos)
	case jsonlex.UnknownEscape:
		return s.fail(`is not JSON: \%c is no escape`, s.src[s.pos+1])
	case jsonlex.MissingDigits:
		return s.fail(`is not JSON: \u wants four hex digits at byte %d`, s.pos)
	case jsonlex.LoneSurrogate:
		return s.fail("has half a surrogate pair at byte %d", s.pos)
	default:
		return s.fail("is not JSON: a string does not end")
	}
}

// number moves past a number by the grammar of RFC 8259.
func (s *scanner) number() error {
	start := s.pos
	n, exponent := jsonlex.Number(s.src[start:])
	if n == 0 {
		return s.fail("is not JSON: a malformed number at byte %d", start)
	}
	s.pos += n

	if exponent || n > longestWhole {
		return s.checkRange(start)
	}
	return nil
}

// longestWhole is how many bytes a number without an exponent may have and be within the range of a float for certain.
const longestWhole = 300

// checkRange refuses a number that no reader could take in.
func (s *scanner) checkRange(start int) error {
	if _, err := strconv.ParseFloat(unsafeString(s.src[start:s.pos]), 64); err != nil {
		return s.fail("the number at byte %d is out of range", start)
	}
	return nil
}

func (s *scanner) literal() error {
	n := jsonlex.Literal(s.src[s.pos:])
	if n == 0 {
		return s.fail("is not JSON at byte %d", s.pos)
	}
	s.pos += n
	return nil
}
