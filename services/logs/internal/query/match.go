package query

import (
	"bytes"
	"slices"
	"strings"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/segment"
	"gestor.local/logs/internal/store"
)

// matcher is a filter made ready: cheap tests on the bytes first, fields only for lines that may pass.
type matcher struct {
	Query
	blocks segment.Selection
	// needles are texts without which a line cannot pass: stored lines have no spaces between key and value.
	needles [][]byte
}

func newMatcher(q Query, head uint64) *matcher {
	m := &matcher{Query: q}

	// A line that holds all of these texts may match, one that does not is passed over without a look at its fields.
	if q.Text != "" {
		m.needles = append(m.needles, []byte(q.Text))
	}
	if len(q.Containers) == 1 && plainID(q.Containers[0]) {
		needle := `"container":"` + q.Containers[0]
		m.needles = append(m.needles, []byte(needle[:min(len(needle), maxNeedle)]))
	}
	if len(q.Kinds) == 1 {
		m.needles = append(m.needles, []byte(`"kind":"`+string(q.Kinds[0])+`"`))
	}

	if m.Before == 0 || m.Before > head+1 {
		m.Before = head + 1 // what is published while the query runs is not part of it
	}

	m.blocks = segment.Selection{
		Since: q.Since, Until: q.Until, After: q.After, Before: m.Before, Containers: q.Containers,
	}
	for _, k := range q.Kinds {
		m.blocks.Kinds |= segment.KindBit(k)
	}
	return m
}

// maxNeedle is the length up to which package bytes searches with vector instructions.
const maxNeedle = 63

// plainID says that an id looks the same in JSON.
func plainID(id string) bool {
	return strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyz-_") == ""
}

// streams returns those that can hold a wanted kind.
func (m *matcher) streams() []store.Stream {
	if len(m.Kinds) == 0 {
		return store.Streams()
	}

	var out []store.Stream
	for _, k := range m.Kinds {
		if s := store.StreamOf(k); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// parseHead reads the beginning of a line and makes the tests that are cheap.
func (m *matcher) parseHead(text []byte) (head line.Head, ok bool) {
	for _, needle := range m.needles {
		if !bytes.Contains(text, needle) {
			return head, false
		}
	}

	head, ok = line.ParseHead(text)
	if !ok || head.Seq <= m.After || head.Seq >= m.Before {
		return head, false
	}
	return head, (m.Since.IsZero() || !head.Time.Before(m.Since)) && (m.Until.IsZero() || head.Time.Before(m.Until))
}

// matchesFields makes the others.
func (m *matcher) matchesFields(l *Line) bool {
	return oneOf(l, "kind", m.Kinds) && oneOf(l, "class", m.Classes) && oneOf(l, "host", m.Hosts) &&
		oneOf(l, "action", m.Actions) && oneOf(l, "verdict", m.Verdicts) && oneOf(l, "reason", m.Reasons) && m.matchesContainer(l) && m.matchesImage(l)
}

func oneOf[T ~string](l *Line, field string, wanted []T) bool {
	return len(wanted) == 0 || slices.Contains(wanted, T(l.String(field)))
}

func (m *matcher) matchesContainer(l *Line) bool {
	if len(m.Containers) == 0 {
		return true
	}
	id := l.String("container")
	return id != "" && slices.ContainsFunc(m.Containers, func(p string) bool { return strings.HasPrefix(id, p) })
}

// matchesImage accepts the name with or without registry, owner and tag: gestor/high-cpu:latest is high-cpu.
func (m *matcher) matchesImage(l *Line) bool {
	if len(m.Images) == 0 {
		return true
	}
	image := l.String("image")
	return slices.ContainsFunc(m.Images, func(want string) bool { return image == want || contract.ShortImage(image) == want })
}
