package line

import (
	"bytes"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
	"unsafe"

	"gestor.local/contract"
	"gestor.local/contract/jsonlex"
)

// shape is the kind of JSON value that a field of the contract holds.
type shape uint8

const (
	shapeAny shape = iota // unknown fields: any well-formed JSON
	shapeString
	shapeUint
	shapeInt
	shapeBool
	shapeTime
	shapeObject
	shapeArray
)

var shapeNames = map[shape]string{
	shapeString: "a string", shapeUint: "a whole number >= 0", shapeInt: "a whole number", shapeBool: "true or false",
	shapeTime: "an RFC 3339 time", shapeObject: "an object", shapeArray: "an array",
}

// schema says what a JSON value must look like so that encoding/json can decode it into a contract type. It is derived
// from the Go type once, so that contract and checker cannot drift apart.
type schema struct {
	shape  shape
	fields map[string]*schema // of an object; nil accepts any field
	order  []*schema          // the fields in the order in which encoding/json writes them
	elem   *schema            // of an array
	name   string             // of a field
	key    string             // the name as it is written: "name":
	place  int                // of a field in its object's order
	most   uint64             // of a whole number: what it may be at most, either side of 0
	figure Figure             // set on the numbers that roll-ups sum
	field  field              // set on the fields that Record names
}

// maxFigure is the largest whole number of a body: what every reader of JSON takes in exactly (RFC 8259, section 6), and
// small enough that 2,000 of them add up. The numbers that identify a record are not figures and may take 64 bits.
const maxFigure = 1<<53 - 1

var timeType = reflect.TypeFor[time.Time]()

// schemaOf derives the schema of a contract type.
func schemaOf(t reflect.Type) *schema {
	if t == timeType {
		return &schema{shape: shapeTime} // a struct, which reads itself from a string
	}

	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem())
	case reflect.String:
		return &schema{shape: shapeString}
	case reflect.Bool:
		return &schema{shape: shapeBool}

	case reflect.Int, reflect.Int64, reflect.Int32:
		return &schema{shape: shapeInt, most: maxFigure}
	case reflect.Uint, reflect.Uint64, reflect.Uint32:
		return &schema{shape: shapeUint, most: maxFigure}

	case reflect.Slice:
		return &schema{shape: shapeArray, elem: schemaOf(t.Elem())}
	case reflect.Map:
		return &schema{shape: shapeObject}
	case reflect.Struct:
		s := &schema{shape: shapeObject, fields: map[string]*schema{}}
		s.addFields(t)
		return s

	default:
		return &schema{shape: shapeAny}
	}
}

// addFields adds the JSON fields of a struct, those of embedded structs in place, as encoding/json does.
func (s *schema) addFields(t reflect.Type) {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-":
		case f.Anonymous && name == "":
			s.addFields(f.Type)
		case name != "":
			child := schemaOf(f.Type)
			child.name, child.key, child.place = name, `"`+name+`":`, len(s.order)
			s.fields[name], s.order = child, append(s.order, child)
		}
	}
}

// schemas holds the schema of every kind of record.
type schemas map[contract.Kind]*schema

// Knows says whether a record of some kind has a member of this name.
func Knows(member string) bool {
	for _, s := range contractSchemas {
		if s.fields[member] != nil {
			return true
		}
	}
	return false
}

func newSchemas() schemas {
	bodies := []contract.Body{
		contract.HostBody{},
		contract.ContainerBody{},
		contract.DecisionBody{},
		contract.ActionBody{},
		contract.LaunchBody{},
		contract.SystemBody{},
	}

	out := schemas{}
	for _, body := range bodies {
		s := schemaOf(reflect.TypeFor[contract.Record]())
		s.addFields(reflect.TypeOf(body))

		// The numbers of the envelope identify a record and are never summed: they may be as large as they are typed.
		for name, f := range fieldNames {
			if known := s.fields[name]; known != nil {
				known.field = f
				if f <= fieldTick && known.most > 0 {
					known.most = math.MaxUint64
				}
			}
		}

		kind := contract.NewRecord(time.Time{}, 0, "", body).Kind
		if kind == contract.KindContainer {
			for i, name := range figureNames {
				s.fields[name].figure = Figure(i + 1)
			}
		}
		out[kind] = s
	}
	return out
}

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
				return nil, duplicateKey(key)
			}
			k.known |= bit
			k.next = child.place + 1
			return child, nil
		}

		// encoding/json takes a name in another case for the field: a reader of what is stored would too.
		for name := range object.fields {
			if strings.EqualFold(name, key) {
				return nil, &syntaxError{path: key, what: "is written " + name}
			}
		}
	}

	if slices.Contains(k.unknown, key) {
		return nil, duplicateKey(key)
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
	for _, child := range object.order[min(k.next, end):min(k.next+lookahead, end)] {
		if len(src) > len(child.key) && unsafeString(src[:len(child.key)]) == child.key {
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
	for _, child := range object.order[min(k.next, end):min(k.next+lookahead, end)] {
		if child.name == key {
			return child
		}
	}
	return object.fields[key]
}

// lookahead is how many names are compared before the map is asked: as many as cost about the same.
const lookahead = 8

func duplicateKey(key string) error { return &syntaxError{path: key, what: "is given twice"} }

// unsafeString is the bytes as a string without a copy. It is valid as long as the bytes are not changed: it is for comparing
// and looking up, and what outlives the call that made it is copied.
func unsafeString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// unquote unescapes a JSON string that was checked before.
func unquote(raw []byte) string {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	return string(jsonlex.AppendUnquoted(nil, raw))
}
