package httpapi

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"gestor.local/contract"

	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/respond"
)

// tail is GET /v1/tail: records as they are stored.
type tail struct {
	Deps
	slots *respond.Slots
}

const (
	maxTails  = 64
	heartbeat = 15 * time.Second
	// tailInterval bounds how often one tail reads: a commit every millisecond must not make 64 tails read 1000 times a second.
	tailInterval = 100 * time.Millisecond
	// tailBatch is how many numbers a tail reads between two looks at what retention has deleted.
	tailBatch = 10_000
)

func newTail(d Deps) *tail { return &tail{Deps: d, slots: respond.NewSlots(maxTails)} }

func (t *tail) register(r gin.IRouter) { r.GET(contract.PathTail, t.get) }

func (t *tail) get(c *gin.Context) {
	p := respond.NewParams(c.Request, t.Query.Now())
	filter := p.Filter()

	fallback := "sse"
	if acceptedFormat(c) == "ndjson" {
		fallback = "ndjson"
	}
	format := p.Choice("format", fallback, "sse", "ndjson")
	after, resumed := t.startAfter(c, p, &filter)
	if bad := p.Problems(); bad != nil {
		respond.BadParams(c, bad)
		return
	}

	release := t.slots.TryAcquire(c, "tails")
	if release == nil {
		return
	}
	defer release()

	media := "text/event-stream"
	if format == "ndjson" {
		media = contract.MediaNDJSON
	}

	s := &tailStream{streamWriter: newStreamWriter(c, media), query: t.Query, filter: filter, sse: format == "sse", after: after}
	ctx, cancel := t.untilClosing(c.Request.Context())
	defer cancel()

	if s.resumed = resumed; resumed {
		s.gapBefore(t.Store.Oldest())
	}
	t.run(ctx, s)
}

// startAfter is the number after which the tail begins: that of Last-Event-ID, else before the first record of since, else
// the newest. An id above the newest is of another data folder: nothing of this one was sent.
func (t *tail) startAfter(c *gin.Context, p *respond.Params, f *contract.Filter) (after uint64, resumed bool) {
	last := c.GetHeader("Last-Event-ID")
	if last == "" {
		last = p.One("last_event_id") // for clients that cannot set the header
	} else {
		p.Ignore("last_event_id")
	}

	if last != "" {
		n, err := strconv.ParseUint(last, 10, 64)
		if err != nil {
			p.Reject("Last-Event-ID", "want the id of an event of this stream")
		}
		if n > t.Query.Head() {
			n = 0
		}
		return n, true
	}

	if !f.Since.IsZero() {
		return 0, false
	}
	return t.Query.Head(), false
}

// run sends what is there, waits for more, and says every now and then that it is there.
func (t *tail) run(ctx context.Context, s *tailStream) {
	if s.ping() != nil {
		return
	}

	for {
		if err := t.catchUp(ctx, s); err != nil {
			return // the client has gone or is too slow: it resumes with Last-Event-ID
		}

		select {
		case <-ctx.Done():
			return
		case <-time.After(tailInterval):
		}

		wait, cancel := context.WithDeadline(ctx, s.flushedAt.Add(heartbeat))
		err := t.Store.Wait(wait, s.after)
		cancel()
		if ctx.Err() != nil {
			return
		}

		// Records that do not match end the wait, not the silence.
		if (err != nil || time.Since(s.flushedAt) >= heartbeat) && s.ping() != nil {
			return
		}
	}
}

// catchUp sends what was stored since the last time, however much that is, part by part: what retention deletes meanwhile
// is reported as a gap.
func (t *tail) catchUp(ctx context.Context, s *tailStream) error {
	for {
		if s.resumed {
			s.gapBefore(t.Store.Oldest())
		}
		s.resumed = true

		head := t.Query.Head()
		if head <= s.after {
			return s.flushAny()
		}
		if err := s.send(ctx, min(head, s.after+tailBatch)); err != nil {
			return err
		}

		// A client may take minutes for one part: what retention has deleted under it was not sent.
		s.gapWithin(t.Store.Oldest())
		if time.Since(s.flushedAt) >= heartbeat { // much was read and nothing of it matches
			if err := s.ping(); err != nil {
				return err
			}
		}
	}
}

// tailStream is one open tail.
type tailStream struct {
	*streamWriter
	query    *query.Engine
	filter   contract.Filter
	sse      bool
	after    uint64 // everything up to here was sent or did not match
	lastSent uint64 // the last number that was sent, or the one before the part that was sent last
	resumed  bool   // the client knows of what is before, so that what is missing is reported
}

// send writes the records up to a number.
func (s *tailStream) send(ctx context.Context, upTo uint64) error {
	s.lastSent = s.after

	q := query.Query{Filter: s.filter, After: s.after, Before: upTo + 1}
	err := s.query.Lines(ctx, q, func(l query.Line) error {
		s.lastSent = l.Seq
		if s.sse {
			fmt.Fprintf(&s.buf, "id: %d\ndata: %s\n\n", l.Seq, l.JSON)
		} else {
			s.buf.Write(l.JSON)
			s.buf.WriteByte('\n')
		}
		return s.flushIfLarge()
	})
	if err != nil {
		return err
	}

	s.after = upTo
	return s.flushAny()
}

// flushAny sends what is buffered, if anything is.
func (s *tailStream) flushAny() error {
	if s.buf.Len() == 0 {
		return nil
	}
	return s.flush()
}

// ping is a comment for SSE and an empty line for NDJSON: it keeps proxies from closing and finds clients that have gone.
func (s *tailStream) ping() error {
	if s.sse {
		s.buf.WriteString(": alive\n\n")
	} else {
		s.buf.WriteByte('\n')
	}
	return s.flush()
}

// gapBefore reports that records between the client's last one and the oldest that is kept are gone.
func (s *tailStream) gapBefore(oldest uint64) {
	if oldest > s.after+1 {
		s.gap(s.after+1, oldest-1)
	}
}

// gapWithin reports that records of the part that was just sent were deleted while a slow client read it.
func (s *tailStream) gapWithin(oldest uint64) {
	if after := s.after; oldest > s.lastSent+1 {
		s.gap(s.lastSent+1, min(oldest-1, after))
		s.after = after
	}
}

// gap reports that a range of numbers is not sent.
func (s *tailStream) gap(from, to uint64) {
	text := fmt.Sprintf(`{"from":%d,"to":%d,"count":%d}`, from, to, to-from+1)
	if s.sse {
		fmt.Fprintf(&s.buf, "event: gap\nid: %d\ndata: %s\n\n", to, text)
	} else {
		fmt.Fprintf(&s.buf, "{\"gap\":%s}\n", text)
	}
	s.after = to
}
