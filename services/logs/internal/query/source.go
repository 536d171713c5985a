package query

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"

	"gestor.local/logs/internal/segment"
	"gestor.local/logs/internal/store"
)

// source yields the matching lines of one stream, one group of blocks in memory at a time: 1 MiB.
type source struct {
	ctx      context.Context //nolint:containedctx // of the one question that the source is for
	match    *matcher
	store    *store.Store
	segments []*segment.Segment // still to be read, next first
	reader   *segment.Reader
	groups   [][]segment.Block // of the reader, next first
	text     []byte            // of the group
	found    []Line            // of the group that may match
	lines    []Line            // of these, next first
	line     Line
	have     bool // line is the next answer
}

func newSource(ctx context.Context, s *store.Store, stream store.Stream, m *matcher) *source {
	segments := s.Segments(stream)
	if m.Order == Newest {
		slices.Reverse(segments)
	}
	return &source{ctx: ctx, match: m, store: s, segments: segments}
}

func (s *source) close() {
	if s.reader != nil {
		s.reader.Close() // read-only: nothing to lose
		s.reader = nil
	}
}

// advance moves to the next matching line; have stays false at the end.
func (s *source) advance() error {
	for {
		for len(s.lines) > 0 {
			s.line = s.lines[0]
			s.lines = s.lines[1:]
			if s.match.matchesFields(&s.line) {
				s.have = true
				return nil
			}
		}

		more, err := s.nextGroup()
		if err != nil || !more {
			return err
		}
	}
}

// nextGroup reads the blocks of a group and puts their lines in order.
func (s *source) nextGroup() (bool, error) {
	// Open segments until one has a group that may match. The context is asked here, because a query may read many segments
	// and find nothing.
	for {
		if err := s.ctx.Err(); err != nil {
			return false, err
		}
		if len(s.groups) > 0 {
			break
		}
		if len(s.segments) == 0 {
			return false, nil
		}
		s.nextSegment()
	}

	group := s.groups[0]
	s.groups = s.groups[1:]
	s.text, s.found = slices.Grow(s.text[:0], s.reader.Room(group)), s.found[:0]
	for _, block := range group {
		begin := len(s.text)
		var err error
		s.text, err = s.reader.Read(s.text, block)

		// A damaged block hides its own records only: it is reported, and the others are read.
		if errors.Is(err, segment.ErrDamaged) {
			s.store.Damaged(block)
			continue
		}
		if err != nil {
			return false, err
		}
		s.split(s.text[begin:])
	}

	// In a sealed file the lines of one group stand by kind and container, not by number.
	slices.SortFunc(s.found, func(a, b Line) int {
		if s.match.Order == Newest {
			a, b = b, a
		}
		return cmp.Compare(a.Seq, b.Seq)
	})
	s.lines = s.found
	return true, nil
}

// split notes the lines of a block that may match. They stay where they are in memory, also when s.text moves on.
func (s *source) split(block []byte) {
	for one := range bytes.Lines(block) {
		one = one[:len(one)-1]
		if head, ok := s.match.parseHead(one); ok {
			s.found = append(s.found, Line{head, one})
		}
	}
}

func (s *source) nextSegment() {
	s.close()
	next := s.segments[0]
	s.segments = s.segments[1:]

	reader, err := next.Open(s.match.blocks)
	if err != nil { // the other files can be read
		s.store.Unopened(next, err)
		return
	}
	if reader == nil {
		return
	}

	s.reader, s.groups = reader, reader.Groups
	if s.match.Order == Newest {
		slices.Reverse(s.groups)
	}
}
