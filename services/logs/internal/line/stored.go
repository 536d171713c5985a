package line

import (
	"bytes"
	"strconv"
	"time"

	"gestor.local/contract"
)

// Head is what the beginning of a stored line says.
type Head struct {
	Seq  uint64
	Time time.Time

	received []byte
	rest     []byte // from `"kind"` on
}

const (
	headSeq      = `{"v":1,"seq":`
	headTime     = `,"ts":"`
	headReceived = `","received":"`
	headRest     = `",`
)

// ParseHead reads the beginning of a stored line; ok is false when it does not have the stored form.
func ParseHead(b []byte) (h Head, ok bool) {
	rest, found := bytes.CutPrefix(b, []byte(headSeq))
	if !found {
		return h, false
	}

	// 20 digits are the most that 64 bits take. A line is checked by its checksum; this only finds the places.
	n := 0
	for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
		h.Seq = h.Seq*10 + uint64(rest[n]-'0')
		n++
	}
	if rest, found = bytes.CutPrefix(rest[n:], []byte(headTime)); !found || n == 0 || n > 20 {
		return h, false
	}

	end := bytes.IndexByte(rest, '"')
	if end < 0 {
		return h, false
	}
	if h.Time, ok = ParseTime(rest[:end]); !ok {
		return h, false
	}

	// The time of receipt is wanted seldom: it is read when it is asked for.
	if rest, found = bytes.CutPrefix(rest[end:], []byte(headReceived)); !found {
		return h, false
	}
	end = bytes.IndexByte(rest, '"')
	if end < 0 || !bytes.HasPrefix(rest[end:], []byte(headRest)) {
		return h, false
	}
	h.received, h.rest = rest[:end], rest[end+len(headRest):]
	return h, true
}

// receivedUS is the time of receipt in Unix microseconds, 0 when it is none.
func (h Head) receivedUS() int64 {
	t, ok := ParseTime(h.received)
	if !ok {
		return 0
	}
	return t.UnixMicro()
}

// Field returns the raw JSON value of a top-level field after the head, nil when there is none. It costs a scan up to
// the field, which for the fields every reader asks for stands near the beginning.
func (h Head) Field(name string) []byte { return topField(h.rest, name) }

// String returns a top-level string field unescaped, "" when there is none.
func (h Head) String(name string) string {
	raw := h.Field(name)
	if len(raw) < 2 || raw[0] != '"' {
		return ""
	}
	return unquote(raw)
}

// Uint returns a top-level whole number, 0 when there is none.
func (h Head) Uint(name string) uint64 {
	v, err := strconv.ParseUint(string(h.Field(name)), 10, 64)
	if err != nil {
		return 0
	}
	return v
}

// topField walks `"key":value,"key":value}` of a line that was checked when it was stored.
func topField(b []byte, name string) []byte {
	for {
		key, value, rest, ok := nextField(b)
		if !ok || string(key) == name {
			return value
		}
		b = rest
	}
}

// nextField takes the first field off; ok is false at the end.
func nextField(b []byte) (key, value, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return nil, nil, nil, false
	}
	keyEnd := stringEnd(b)
	if keyEnd < 0 || keyEnd >= len(b) || b[keyEnd] != ':' {
		return nil, nil, nil, false
	}

	key, value = b[1:keyEnd-1], b[keyEnd+1:]
	end := valueEnd(value)
	if end < 0 {
		return nil, nil, nil, false
	}
	if end < len(value) && value[end] == ',' {
		rest = value[end+1:]
	}
	return key, value[:end], rest, true
}

// stringEnd returns the index after the closing quote of the string that begins at b[0], -1 when it does not end.
func stringEnd(b []byte) int {
	// Nearly always the first quote is the end. One behind a backslash may be escaped, or the backslash may be: then the
	// string is walked.
	switch n := bytes.IndexByte(b[1:], '"'); {
	case n < 0:
		return -1
	case b[n] != '\\': // the byte before the quote
		return n + 2
	}

	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// valueEnd returns the index after the value that begins at b[0].
func valueEnd(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			n := stringEnd(b[i:])
			if n < 0 {
				return -1
			}
			i += n - 1

		case '{', '[':
			depth++

		case '}', ']':
			if depth == 0 {
				return i // of the object around it
			}
			depth--

		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	return -1
}

// ParseStored reads a line back, with or without its checksum. It was checked before it was stored and is whole, as its
// checksum or its block's says: so the fields are found without another look at the grammar, which takes half
// the time of Next. Body points into b. ok is false when the line does not have the stored form.
func (p *Parser) ParseStored(b []byte, rec *Record) (ok bool) {
	head, ok := ParseHead(b)
	if !ok {
		return false
	}
	*rec = Record{}
	p.raw = [fieldCount][]byte{}

	// The kind stands first, and says which fields there are.
	key, value, rest, ok := nextField(head.rest)
	if !ok || string(key) != "kind" {
		return false
	}
	want := p.schemas[contract.Kind(unquoteOrEmpty(value))]
	if want == nil {
		return false
	}
	p.raw[fieldKind] = value

	// The names alias the line: they are compared, and looked up, while it is there.
	for keys := (keySet{}); len(rest) > 0; {
		if key, value, rest, ok = nextField(rest); !ok {
			return false
		}
		p.setField(&keys, want, unsafeString(key), value, rec)
	}

	p.setNamed(rec)
	rec.Seq, rec.Time, rec.ReceivedUS = head.Seq, head.Time, head.receivedUS()

	rec.Body = bytes.TrimSuffix(head.rest, []byte{'}'})
	if n := len(head.rest) - crcTail; n >= 0 && bytes.HasPrefix(head.rest[n:], []byte(crcKey)) {
		rec.Body = head.rest[:n]
	}

	id := rec.Identity
	return rec.Seq > 0 && rec.PSeq > 0 && id.Host != "" && id.Boot != "" && id.Producer != ""
}

// setField sets what Record names or sums of a member.
func (p *Parser) setField(keys *keySet, want *schema, key string, value []byte, rec *Record) {
	child := keys.lookup(want, key)
	switch {
	case child == nil && key == "container" && len(value) > 0 && value[0] == '"':
		p.raw[fieldContainer] = value // as in member

	case child == nil:
	case child.figure != 0:
		rec.Figures[child.figure-1] = uintOf(value)
	case child.field != 0:
		p.raw[child.field] = value
	}

	if child != nil {
		keys.next = child.place + 1
	}
}
