package contract

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// string reads a string. The bytes are part of the document or of a scratch buffer: valid until the next string is read.
func (s *scanner) string() []byte {
	s.expect('"')
	start := s.pos
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			return s.data[start : s.pos-1]
		case c == '\\':
			return s.escaped(start)
		case c < ' ':
			s.fail(fmt.Errorf("%w: control byte in a string", ErrSyntax))
		default:
			s.pos++
		}
	}
	s.fail(ErrSyntax)
	return nil
}

// escaped reads the rest of a string that began at start and has an escape at pos.
func (s *scanner) escaped(start int) []byte {
	s.text = append(s.text[:0], s.data[start:s.pos]...)
	for s.pos < len(s.data) {
		c := s.data[s.pos]
		s.pos++
		switch {
		case c == '"':
			return s.text
		case c == '\\':
			s.escape()
		case c < ' ':
			s.fail(fmt.Errorf("%w: control byte in a string", ErrSyntax))
		default:
			s.text = append(s.text, c)
		}
	}
	s.fail(ErrSyntax)
	return nil
}

// escape reads what follows a backslash.
func (s *scanner) escape() {
	if s.pos >= len(s.data) {
		s.fail(ErrSyntax)
		return
	}
	c := s.data[s.pos]
	s.pos++
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		s.text = utf8.AppendRune(s.text, s.escapedRune())
		return
	default:
		s.fail(ErrSyntax)
		return
	}
	s.text = append(s.text, c)
}

// escapedRune reads the four digits after \u, and the second half of a surrogate pair. A half alone is not Unicode.
func (s *scanner) escapedRune() rune {
	r := s.hex4()
	if !utf16.IsSurrogate(r) {
		return r
	}
	if s.accept('\\') && s.accept('u') {
		if r = utf16.DecodeRune(r, s.hex4()); r != utf8.RuneError {
			return r
		}
	}
	s.fail(fmt.Errorf("%w: lone surrogate", ErrUTF8))
	return utf8.RuneError
}

func (s *scanner) hex4() (r rune) {
	if len(s.data)-s.pos < 4 {
		s.fail(ErrSyntax)
		return 0
	}
	for _, c := range s.data[s.pos : s.pos+4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			s.fail(ErrSyntax)
			return 0
		}
		r = r<<4 | rune(c)
	}
	s.pos += 4
	return r
}

// keySet remembers the keys of one object.
type keySet struct {
	few  []string
	many map[string]struct{}
}

// add reports whether the key is new.
func (k *keySet) add(key []byte, fold bool) bool {
	name := string(key)
	if fold {
		name = foldKey(key)
	}
	if k.many != nil {
		_, known := k.many[name]
		k.many[name] = struct{}{}
		return !known
	}
	for _, one := range k.few {
		if one == name {
			return false
		}
	}
	if k.few = append(k.few, name); len(k.few) > maxKeysScanned {
		k.many = make(map[string]struct{}, 2*len(k.few))
		for _, one := range k.few {
			k.many[one] = struct{}{}
		}
	}
	return true
}

// foldKey maps keys that encoding/json would take for the same field to the same text.
func foldKey(key []byte) string {
	return strings.Map(func(r rune) rune {
		for {
			next := unicode.SimpleFold(r) // walks a cycle; its smallest rune stands for all
			if next <= r {
				return next
			}
			r = next
		}
	}, string(key))
}
