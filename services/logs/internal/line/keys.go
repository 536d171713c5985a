package line

import (
	"bytes"
	"slices"
	"strings"
	"unsafe"

	"gestor.local/contract/jsonlex"
)

// keySet notices a field that is given twice.
type keySet struct {
	known   uint64 // bit schema.place of every known field so far; a test checks that 64 are enough
	next    int    // place of the field that usually comes now
	unknown []string
}

// add notes a field and returns its schema, nil for one the contract does not know.
func (k *keySet) add(object *schema, key string) (*schema, error) {
	if object != nil {
		if child := k.lookup(object, key); child != nil {
			bit := uint64(1) << child.place
			if k.known&bit != 0 {
				return nil, twice(key)
			}
			k.known |= bit
			k.next = child.place + 1
			return child, nil
		}
		for name := range object.fields {
			if strings.EqualFold(name, key) {
				return nil, &syntaxError{path: key, what: "is written " + name}
			}
		}
	}
	if slices.Contains(k.unknown, key) {
		return nil, twice(key)
	}
	if len(k.unknown) == maxFields {
		return nil, &syntaxError{what: "has too many unknown fields in one object"}
	}
	k.unknown = append(k.unknown, key)
	return nil, nil
}

// expected finds the field that src begins with among those that usually come now, without a look at its characters:
// nil when it is none of them or was given before. It returns how many bytes the name takes.
func (k *keySet) expected(object *schema, src []byte) (child *schema, n int) {
	if object == nil {
		return nil, 0
	}
	end := len(object.order)
	for _, child := range object.order[min(k.next, end):min(k.next+skipped, end)] {
		if len(src) > len(child.key) && view(src[:len(child.key)]) == child.key {
			bit := uint64(1) << child.place
			if k.known&bit != 0 {
				return nil, 0
			}
			k.known |= bit
			k.next = child.place + 1
			return child, len(child.key)
		}
	}
	return nil, 0
}

// lookup finds a field: most producers write them in the contract's order and leave some out, which saves the map.
func (k *keySet) lookup(object *schema, key string) *schema {
	end := len(object.order)
	for _, child := range object.order[min(k.next, end):min(k.next+skipped, end)] {
		if child.name == key {
			return child
		}
	}
	return object.fields[key]
}

// skipped is how many names are compared before the map is asked: as many as cost about the same.
const skipped = 8

func twice(key string) error { return &syntaxError{path: key, what: "is given twice"} }

// view is the bytes as a string without a copy. It is valid as long as the bytes are not changed.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// unquote unescapes a JSON string that was checked before.
func unquote(raw []byte) string {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	return string(jsonlex.AppendUnquoted(nil, raw))
}
