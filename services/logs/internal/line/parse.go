package line

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"gestor.local/contract"
)

// field numbers the fields of a record that Record names.
type field uint8

const (
	fieldV field = iota + 1
	fieldSeq
	fieldTime
	fieldReceived
	fieldCRC
	fieldKind
	fieldHost
	fieldBoot
	fieldSource
	fieldProducer
	fieldPSeq
	fieldTick
	fieldContainer
	fieldName
	fieldImage
	fieldClass
	fieldAction
	fieldPhase
	fieldOutcome
	fieldEvent
	fieldMeasured
	fieldOwned
	fieldCount
)

var fieldNames = map[string]field{
	"v": fieldV, "seq": fieldSeq, "ts": fieldTime, "received": fieldReceived, "kind": fieldKind, "host": fieldHost,
	"boot": fieldBoot, "source": fieldSource, "producer": fieldProducer, "pseq": fieldPSeq, "tick": fieldTick,
	"container": fieldContainer, "name": fieldName, "image": fieldImage, "class": fieldClass, "action": fieldAction,
	"phase": fieldPhase, "outcome": fieldOutcome, "event": fieldEvent, "measured": fieldMeasured,
	"owned": fieldOwned,
}

// envelope is the order of the fields at the beginning of Record.Body.
var envelope = [...]struct {
	field field
	key   string
}{
	{fieldKind, `"kind":`},
	{fieldHost, `,"host":`},
	{fieldBoot, `,"boot":`},
	{fieldSource, `,"source":`},
	{fieldProducer, `,"producer":`},
	{fieldPSeq, `,"pseq":`},
	{fieldTick, `,"tick":`},
}

const maxIdentity = 256 // bytes of host, boot, producer and container each: they are kept in memory

// Parser parses records. It is not safe for concurrent use; what it returns stays valid after the next call.
type Parser struct {
	schemas schemas
	scan    scanner
	raw     [fieldCount][]byte // of the record that is being parsed, by field: parts of its text

	// Three caches, for what comes again from record to record: every string that was read, each field's last one that has
	// no escape, and the last time.
	interned  map[string]string
	last      [fieldCount]string
	timestamp struct {
		raw  string
		time time.Time
	}
}

// contractSchemas is derived once: it never changes.
var contractSchemas = newSchemas()

// envelopeSchema finds the kind of a record whose kind does not stand near its beginning.
var envelopeSchema = &schema{shape: shapeObject, fields: map[string]*schema{
	"kind": contractSchemas[contract.KindSystem].fields["kind"],
}}

// NewParser returns a parser for the contract of this build.
func NewParser() *Parser { return &Parser{schemas: contractSchemas, interned: map[string]string{}} }

// Next parses the record at the beginning of src and returns how many bytes it took. Canonical bytes are appended to
// arena, which is returned; the record's Body points into it. A record that is well-formed JSON but not a valid record
// is an error with n > 0, so that a caller can go on behind it; on a syntax error n is 0.
func (p *Parser) Next(src, arena []byte, rec *Record) (n int, grown []byte, err error) {
	*rec = Record{}
	p.raw = [fieldCount][]byte{}

	// Errors hold names as unsafeString gives them. The caller may use src again, so their text is made here.
	want, err := p.schemaFor(src)
	if err != nil {
		return 0, arena, errors.New(err.Error())
	}
	p.scan.reset(src)
	if err := p.fields(want, rec); err != nil {
		reason := errors.New(err.Error())
		return p.skip(src), arena, reason
	}

	n = p.scan.pos
	if err := p.fill(rec); err != nil {
		return n, arena, err
	}

	// What identifies a record comes first, in an order of its own, so that a reader finds it without reading the rest.
	start := len(arena)
	for _, e := range envelope {
		if raw := p.raw[e.field]; raw != nil {
			arena = append(append(arena, e.key...), raw...)
		}
	}
	arena = p.scan.appendRest(arena)

	rec.Body = arena[start:len(arena):len(arena)]
	return n, arena, nil
}

// schemaFor returns the schema of the record's kind.
func (p *Parser) schemaFor(src []byte) (*schema, error) {
	// In our own producers' lines the kind stands near the beginning, and not inside another value.
	i := bytes.Index(src[:min(len(src), 256)], []byte(`"kind":"`))
	if i > 0 && !bytes.ContainsAny(src[1:i], "{[") {
		word := src[i+len(`"kind":"`):]
		if end := bytes.IndexByte(word, '"'); end >= 0 {
			if s := p.schemas[contract.Kind(word[:end])]; s != nil {
				return s, nil
			}
		}
	}

	// Anybody else's are read once more for it, as an object of which the kind alone is known.
	p.scan.reset(src)
	var found Record
	if err := p.fields(envelopeSchema, &found); err != nil {
		return nil, err
	}
	kind := unquoteOrEmpty(p.raw[fieldKind])
	p.raw = [fieldCount][]byte{}

	s := p.schemas[contract.Kind(kind)]
	if s == nil {
		return p.schemas[contract.KindSystem], nil // fill reports the kind
	}
	return s, nil
}

// skip returns the length of the JSON value at the beginning of src, 0 when it is malformed.
func (p *Parser) skip(src []byte) int {
	p.scan.reset(src)
	if p.scan.value(nil, 0) != nil {
		return 0
	}
	return p.scan.pos
}

// fields scans the top-level object: fields of the envelope are noted in p.raw, the others stay in the scanner's copy.
func (p *Parser) fields(want *schema, rec *Record) error {
	s := &p.scan
	if s.peek() != '{' {
		return s.fail("is not a JSON object")
	}
	s.pos++
	s.from = s.pos

	var keys keySet
	for first := true; ; first = false {
		before := s.mark()
		key, child, done, err := s.field(&keys, want, first)
		if err != nil || done {
			return err
		}

		start := s.pos
		if err := s.value(child, 1); err != nil {
			return atField(key, err)
		}
		if p.member(key, child, start, rec) {
			s.cut(before)
		}
	}
}

// member records what is needed of the member whose value begins at start. It says whether the record is stored without it:
// the envelope is written anew.
func (p *Parser) member(key string, child *schema, start int, rec *Record) (drop bool) {
	s := &p.scan
	switch {
	case child == nil && key == "container" && s.src[start] == '"':
		// A query for a container finds a record of any kind that names it.
		p.setRaw(fieldContainer, start)

	case child == nil:
		return key == "crc" // of a line that was stored before: it is computed anew

	case child.field != 0:
		p.setRaw(child.field, start)
		return child.field <= fieldTick

	case child.figure != 0:
		rec.Figures[child.figure-1] = uintOf(s.src[start:s.pos])
	}
	return false
}

// setRaw sets a field to the scalar that begins at start.
func (p *Parser) setRaw(f field, start int) {
	s := &p.scan
	p.raw[f] = s.src[start:s.pos] // no whitespace inside
	if bytes.IndexByte(p.raw[f], '\\') >= 0 {
		p.raw[f] = canonical(p.raw[f])
		s.replace(start, p.raw[f])
	}
}

// canonical writes a string the one way encoding/json does, so that readers may look for the bytes of a name.
func canonical(raw []byte) []byte {
	b, err := json.Marshal(unquote(raw))
	if err != nil { // a string always marshals
		return raw
	}
	return b
}

// fill sets the named fields of rec from p.raw and reports everything that is wrong with them.
func (p *Parser) fill(rec *Record) error {
	var problems contract.Problems
	p.setNamed(rec)

	// Without the kind it is not known what else should be there.
	if p.schemas[rec.Kind] == nil {
		return fmt.Errorf("kind: missing or unknown; one of %v", contract.Kinds())
	}
	if string(p.raw[fieldV]) != "1" {
		problems.Add("v", fmt.Sprintf("missing or not supported; this service stores version %d", contract.RecordVersion))
	}
	if !p.time(&rec.Time) {
		problems.Add("ts", "missing or not an RFC 3339 time")
	}

	// Who the record is from, and its number there. The store keeps identities in memory, hence the limit.
	for _, id := range []struct{ name, value string }{
		{"host", rec.Identity.Host}, {"boot", rec.Identity.Boot}, {"producer", rec.Identity.Producer},
	} {
		switch {
		case id.value == "":
			problems.Add(id.name, "missing")
		case len(id.value) > maxIdentity:
			problems.Add(id.name, fmt.Sprintf("longer than %d bytes", maxIdentity))
		}
	}
	if rec.PSeq == 0 {
		problems.Add("pseq", "missing")
	}

	// What the record is about.
	if rec.Container == "" && needsContainer(rec.Kind) {
		problems.Add("container", "missing")
	}
	if len(rec.Container) > maxIdentity {
		problems.Add("container", fmt.Sprintf("longer than %d bytes", maxIdentity))
	}
	if rec.Event == "" && rec.Kind == contract.KindSystem {
		problems.Add("event", "missing")
	}
	return problems.Err()
}

// time reads the record's time.
func (p *Parser) time(t *time.Time) bool {
	raw := p.raw[fieldTime]
	if raw == nil {
		return false
	}
	if unsafeString(raw) == p.timestamp.raw {
		*t = p.timestamp.time
		return true
	}

	// It is stored in UTC, where a time at the edge may have a year that RFC 3339 cannot write.
	read, ok := ParseTime(raw[1 : len(raw)-1])
	if year := read.UTC().Year(); !ok || read.IsZero() || year < 1 || year > 9999 {
		return false
	}

	*t = read
	p.timestamp.raw, p.timestamp.time = string(raw), *t
	return true
}

// setNamed sets the named fields, except the times, without any check.
func (p *Parser) setNamed(rec *Record) {
	// The last string of a field is compared before the map of all is asked: most fields are the same from line to line.
	text := func(f field) string {
		raw := p.raw[f]
		if len(raw) > 2 && unsafeString(raw[1:len(raw)-1]) == p.last[f] {
			return p.last[f]
		}
		w := p.intern(raw)
		if len(w) == len(raw)-2 && len(raw) <= maxInterned {
			p.last[f] = w
		}
		return w
	}

	rec.Kind = contract.Kind(text(fieldKind))
	rec.Identity = Identity{Host: text(fieldHost), Boot: text(fieldBoot), Producer: text(fieldProducer)}
	rec.Seq, rec.PSeq, rec.Tick = uintOf(p.raw[fieldSeq]), uintOf(p.raw[fieldPSeq]), uintOf(p.raw[fieldTick])

	rec.Container, rec.Name, rec.Image = text(fieldContainer), text(fieldName), text(fieldImage)
	rec.Class, rec.Action = text(fieldClass), text(fieldAction)
	rec.Phase, rec.Outcome, rec.Event = text(fieldPhase), text(fieldOutcome), text(fieldEvent)
	rec.Measured, rec.Owned = string(p.raw[fieldMeasured]) == "true", string(p.raw[fieldOwned]) == "true"
}

func needsContainer(k contract.Kind) bool {
	return k == contract.KindContainer || k == contract.KindDecision || k == contract.KindAction
}

// maxInterned is the length up to which a parser caches a string: it is used again and again, also after what was refused.
const maxInterned = 256

// intern unescapes a string, and caches one copy of what comes again and again.
func (p *Parser) intern(raw []byte) string {
	if len(raw) < 2 {
		return ""
	}
	if len(raw) > maxInterned {
		return unquote(raw)
	}

	if w, ok := p.interned[unsafeString(raw)]; ok {
		return w
	}

	// Names of containers come and go, so the cache is emptied when it is full, and soon holds what is in use.
	if len(p.interned) >= 4096 {
		clear(p.interned)
	}
	w := unquote(raw)
	p.interned[string(raw)] = w
	return w
}

func unquoteOrEmpty(raw []byte) string {
	if len(raw) < 2 {
		return ""
	}
	return unquote(raw)
}

func uintOf(raw []byte) uint64 {
	if len(raw) == 0 {
		return 0
	}
	v, err := strconv.ParseUint(unsafeString(raw), 10, 64)
	if err != nil {
		return 0
	}
	return v
}

// Now formats a time of receipt.
func Now(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }
