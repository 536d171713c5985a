package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Limits of every JSON document that crosses a boundary.
const (
	// MaxDepth is the deepest nesting a document may have. Ours need 5; a deeper one is an attack on the parser's stack.
	MaxDepth = 32
	// maxKeysScanned is the number of keys of one object that are compared one by one before a map takes over: typical
	// objects have fewer, and a hostile one must not cost the square of its size.
	maxKeysScanned = 16
)

// Errors of CheckJSON and of the parsers built on it. They are wrapped with the byte offset.
var (
	ErrSyntax    = errors.New("not valid JSON")
	ErrUTF8      = errors.New("not valid UTF-8")
	ErrDuplicate = errors.New("duplicate key")
	ErrDepth     = errors.New("nested too deep")
	ErrTrailing  = errors.New("bytes after the end of the document")
	ErrTooLarge  = errors.New("document too large")
)

// UnmarshalStrict is json.Unmarshal for documents from elsewhere: text that encoding/json would repair or resolve
// silently (invalid UTF-8, lone surrogates, a key twice, also under another case) is an error. Unknown fields are ignored.
func UnmarshalStrict(data []byte, into any) error {
	if err := CheckJSON(data); err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// CheckJSON tells whether data is exactly one JSON value (RFC 8259) in valid UTF-8, without duplicate keys at any depth,
// at most MaxDepth deep and with nothing but white space after it. Keys that differ only in case count as
// duplicates, because encoding/json would take either for the same field.
func CheckJSON(data []byte) error {
	s := newScanner(data)
	s.fold = true
	s.skip()
	s.finish()
	return s.err
}

// scanner reads one JSON text in one pass. The first error sticks: from then on every method returns zero values, so
// that callers check once at the end.
type scanner struct {
	data  []byte
	pos   int
	depth int
	fold  bool // keys are compared without regard to case
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

// enter opens an object or array.
func (s *scanner) enter(open byte) {
	s.expect(open)
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
		s.enter('[')
		for first := true; s.more(']', first); first = false {
			s.skip()
		}
	case c == '"':
		s.string()
	case c == 't':
		s.literal("true")
	case c == 'f':
		s.literal("false")
	case c == 'n':
		s.literal("null")
	default:
		s.number()
	}
}

func (s *scanner) skipObject() {
	var seen keySet
	s.enter('{')
	for first := true; s.more('}', first); first = false {
		k := s.key()
		if s.err == nil && !seen.add(k, s.fold) {
			s.fail(fmt.Errorf("%w %q", ErrDuplicate, k))
		}
		s.skip()
	}
}

func (s *scanner) literal(word string) {
	if len(s.data)-s.pos < len(word) || string(s.data[s.pos:s.pos+len(word)]) != word {
		s.fail(ErrSyntax)
		return
	}
	s.pos += len(word)
}

// number checks a number and returns its text.
func (s *scanner) number() []byte {
	s.peek()
	start := s.pos
	s.accept('-')
	if !s.accept('0') && s.digits() == 0 {
		s.fail(ErrSyntax)
		return nil
	}
	if s.accept('.') && s.digits() == 0 {
		s.fail(ErrSyntax)
		return nil
	}
	if s.accept('e') || s.accept('E') {
		if !s.accept('+') {
			s.accept('-')
		}
		if s.digits() == 0 {
			s.fail(ErrSyntax)
			return nil
		}
	}
	return s.data[start:s.pos]
}

func (s *scanner) accept(c byte) bool {
	if s.pos < len(s.data) && s.data[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

func (s *scanner) digits() (n int) {
	for s.pos < len(s.data) && s.data[s.pos]-'0' <= 9 {
		s.pos++
		n++
	}
	return n
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
