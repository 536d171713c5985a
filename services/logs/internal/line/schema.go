package line

import (
	"math"
	"reflect"
	"strings"
	"time"

	"gestor.local/contract"
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
		return &schema{shape: shapeTime}
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
