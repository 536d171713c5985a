package line

import (
	"bytes"

	"gestor.local/contract"
)

// Stored reads a line back, with or without its checksum. It was checked before it was stored and is whole, as its
// checksum or its block's says: so the fields are picked out without another look at the grammar, which takes half
// the time of Next. Body points into b. ok is false when the line does not have the stored form.
func (p *Parser) Stored(b []byte, rec *Record) (ok bool) {
	head, ok := ParseHead(b)
	if !ok {
		return false
	}
	*rec = Record{}
	p.raw = [fieldCount][]byte{}
	key, value, rest, ok := nextField(head.rest)
	if !ok || string(key) != "kind" {
		return false
	}
	want := p.schemas[contract.Kind(unquoteOr(value))]
	if want == nil {
		return false
	}
	p.raw[fieldKind] = value
	for keys := (keySet{}); len(rest) > 0; {
		if key, value, rest, ok = nextField(rest); !ok {
			return false
		}
		p.pick(&keys, want, view(key), value, rec)
	}
	p.name(rec)
	rec.Seq, rec.Time, rec.ReceivedUS = head.Seq, head.Time, head.receivedUS()
	rec.Body = bytes.TrimSuffix(head.rest, []byte{'}'})
	if n := len(head.rest) - crcTail; n >= 0 && bytes.HasPrefix(head.rest[n:], []byte(crcKey)) {
		rec.Body = head.rest[:n]
	}
	id := rec.Identity
	return rec.Seq > 0 && rec.PSeq > 0 && id.Host != "" && id.Boot != "" && id.Producer != ""
}

// pick takes a field that Record names or sums.
func (p *Parser) pick(keys *keySet, want *schema, key string, value []byte, rec *Record) {
	child := keys.lookup(want, key)
	switch {
	case child == nil && key == "container" && len(value) > 0 && value[0] == '"':
		p.raw[fieldContainer] = value
	case child == nil:
	case child.figure != 0:
		rec.Figures[child.figure-1] = number(value)
	case child.field != 0:
		p.raw[child.field] = value
	}
	if child != nil {
		keys.next = child.place + 1
	}
}
