package line

import (
	"bytes"
	"strconv"
	"time"
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
				return i
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
