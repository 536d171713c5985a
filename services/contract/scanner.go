package contract

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"gestor.local/contract/jsonlex"
)

// Limits of every JSON document that crosses a boundary.
const (
	// MaxDepth is the deepest nesting a document may have. Ours need 5; a deeper one is an attack on the parser's stack.
	MaxDepth = 32
	// maxKeysScanned is the number of keys of one object that are compared one by one before a map takes over: typical
	// objects have fewer, and a hostile one must not cost the square of its size.
	maxKeysScanned = 16
)

// Errors of a document's text. They are wrapped with the byte offset.
var (
	ErrSyntax    = errors.New("not valid JSON")
	ErrUTF8      = errors.New("not valid UTF-8")
	ErrDuplicate = errors.New("duplicate key")
	ErrDepth     = errors.New("nested too deep")
	ErrTrailing  = errors.New("bytes after the end of the document")
	ErrTooLarge  = errors.New("document too large")
)

// scanner reads one JSON text in one pass. The first error sticks: from then on every method returns zero values, so
// that callers check once at the end.
type scanner struct {
	data  []byte
	pos   int
	depth int
	err   error
	text  []byte // scratch for strings with escapes
}

// newScanner checks the encoding once for the whole text, so that no string needs to.
func newScanner(data []byte) *scanner {
	s := &scanner{data: data}
	if !utf8.Valid(data) {
		s.pos = invalidUTF8(data)
		s.fail(ErrUTF8)
	}
	return s
}

// fail records the first error with its place and moves to the end of the text.
func (s *scanner) fail(err error) {
	if s.err == nil {
		s.err = fmt.Errorf("byte %d: %w", s.pos, err)
	}
	s.pos = len(s.data)
}

// peek skips white space and returns the next byte, 0 at the end of the text.
func (s *scanner) peek() byte {
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; c {
		case ' ', '\n', '\t', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// expect consumes c, which must be the next byte that is not white space.
func (s *scanner) expect(c byte) {
	if s.peek() != c {
		s.fail(ErrSyntax)
		return
	}
	s.pos++
}

// finish checks that nothing follows.
func (s *scanner) finish() {
	if s.err == nil && s.peek() != 0 {
		s.fail(ErrTrailing)
	}
	if s.err == nil && s.pos < len(s.data) { // a NUL byte, which peek reports as 0
		s.fail(ErrTrailing)
	}
}

// open consumes the bracket that begins an object or array.
func (s *scanner) open(bracket byte) {
	s.expect(bracket)
	if s.depth++; s.depth > MaxDepth {
		s.fail(ErrDepth)
	}
}

// more reports whether another element follows inside a container that closes with end; first is true before the first
// element. It consumes the comma or the end.
func (s *scanner) more(end byte, first bool) bool {
	switch c := s.peek(); {
	case s.err != nil:
		return false
	case c == end:
		s.pos++
		s.depth--
		return false

	case first:
		return true
	case c == ',':
		s.pos++
		return true

	default:
		s.fail(ErrSyntax)
		return false
	}
}

// key reads a key and its colon. The bytes are valid until the next string is read.
func (s *scanner) key() []byte {
	k := s.string()
	s.expect(':')
	return k
}

// skip checks the next value of any kind and drops it.
func (s *scanner) skip() {
	switch c := s.peek(); {
	case c == '{':
		s.skipObject()

	case c == '[':
		s.open('[')
		for first := true; s.more(']', first); first = false {
			s.skip()
		}

	case c == '"':
		s.string()
	case c == 't' || c == 'f' || c == 'n':
		s.literal()
	default:
		s.number()
	}
}

func (s *scanner) skipObject() {
	var seen keySet
	s.open('{')
	for first := true; s.more('}', first); first = false {
		k := s.key()
		if s.err == nil && !seen.add(k) {
			s.fail(fmt.Errorf("%w %q", ErrDuplicate, k))
		}
		s.skip()
	}
}

// literal takes true, false or null.
func (s *scanner) literal() {
	n := jsonlex.Literal(s.data[s.pos:])
	if n == 0 {
		s.fail(ErrSyntax)
		return
	}
	s.pos += n
}

// number checks a number and returns its text.
func (s *scanner) number() []byte {
	s.peek()
	start := s.pos
	n, _ := jsonlex.Number(s.data[start:])
	if n == 0 {
		s.fail(ErrSyntax)
		return nil
	}
	s.pos += n
	return s.data[start:s.pos]
}

// string reads a string. The bytes are part of the document or of a scratch buffer: valid until the next string is read.
func (s *scanner) string() []byte {
	if s.peek() != '"' {
		s.fail(ErrSyntax)
		return nil
	}

	// Whether the bytes are UTF-8 was looked at once for the whole text.
	start := s.pos
	n, escaped, _, fault := jsonlex.String(s.data[start:])
	if fault != jsonlex.None {
		s.pos += n
		s.fail(stringError(fault))
		return nil
	}
	s.pos += n

	if !escaped {
		return s.data[start+1 : s.pos-1]
	}
	s.text = jsonlex.AppendUnquoted(s.text[:0], s.data[start:s.pos])
	return s.text
}

func stringError(fault jsonlex.Fault) error {
	switch fault {
	case jsonlex.ControlByte:
		return fmt.Errorf("%w: control byte in a string", ErrSyntax)
	case jsonlex.LoneSurrogate:
		return fmt.Errorf("%w: lone surrogate", ErrUTF8)
	default:
		return ErrSyntax
	}
}

// keySet remembers the keys of one object.
type keySet struct {
	list []string
	set  map[string]struct{} // nil while the list is short
}

// add reports whether the key is new.
func (k *keySet) add(key []byte) bool {
	name := string(key)
	if k.set != nil {
		_, known := k.set[name]
		k.set[name] = struct{}{}
		return !known
	}

	if slices.Contains(k.list, name) {
		return false
	}
	k.list = append(k.list, name)
	if len(k.list) > maxKeysScanned {
		k.set = make(map[string]struct{}, 2*len(k.list))
		for _, one := range k.list {
			k.set[one] = struct{}{}
		}
	}
	return true
}

// invalidUTF8 is the offset of the first byte that is not part of a valid sequence.
func invalidUTF8(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(b)
}
