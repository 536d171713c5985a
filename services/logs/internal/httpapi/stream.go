package httpapi

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/gzip"

	"gestor.local/contract"

	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/respond"
)

// slowest is how long a stream waits for a client that does not read.
const slowest = 30 * time.Second

// outlet writes a stream: the deadline moves with every flush, so that a long answer is no slow client.
type outlet struct {
	c       *gin.Context
	control *http.ResponseController
	buf     bytes.Buffer
	sent    time.Time    // when it was last flushed
	packer  *gzip.Writer // nil: it goes out as it is
}

func newOutlet(c *gin.Context, media string) *outlet {
	c.Header("Content-Type", media)
	c.Header("X-Accel-Buffering", "no")
	return &outlet{c: c, control: http.NewResponseController(c.Writer)}
}

// packedOutlet is newOutlet for a client that may take it packed. The header that says so is set with the first bytes: until then
// the answer may be a problem, which is not packed.
func packedOutlet(c *gin.Context, media string) *outlet {
	o := newOutlet(c, media)
	c.Header("Vary", "Accept-Encoding")
	if respond.AcceptsGzip(c) {
		o.packer = respond.NewGzipWriter(c.Writer)
	}
	return o
}

// end sends what is left. Without it a packed stream is broken off.
func (o *outlet) end() error {
	if o.packer == nil {
		return o.flush()
	}
	if err := o.flush(); err != nil {
		return err
	}
	return o.packer.Close()
}

// write passes on what is buffered, packed so that the client can unpack all of it now.
func (o *outlet) write() error {
	if o.packer == nil {
		_, err := o.c.Writer.Write(o.buf.Bytes())
		return err
	}
	o.c.Header("Content-Encoding", "gzip")
	if _, err := o.packer.Write(o.buf.Bytes()); err != nil {
		return err
	}
	return o.packer.Flush()
}

// flush sends what is buffered.
func (o *outlet) flush() error {
	if err := o.control.SetWriteDeadline(time.Now().Add(slowest)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if err := o.write(); err != nil {
		return err
	}
	o.buf.Reset()
	o.sent = time.Now()
	return o.control.Flush()
}

// flushLarge sends when enough has gathered.
func (o *outlet) flushLarge() error {
	if o.buf.Len() < 32<<10 {
		return nil
	}
	return o.flush()
}

// stream answers every match in constant memory. Closing the connection ends the query, and so does the service's end.
func (r records) stream(c *gin.Context, q query.Query, format string, limit int, fields []string) {
	release := r.slots.TryAcquire(c, "streams")
	if release == nil {
		return
	}
	defer release()
	ctx, cancel := r.untilClosing(c.Request.Context())
	defer cancel()
	media := contract.MediaNDJSON
	if format == "csv" {
		media = contract.MediaCSV + "; charset=utf-8; header=present"
	}
	out := packedOutlet(c, media)
	write := out.ndjson(fields)
	if format == "csv" {
		write = out.csv(fields)
	}
	err := r.Query.Lines(ctx, q, atMost(limit, func(l query.Line) error {
		if err := write(l); err != nil {
			return err
		}
		return out.flushLarge()
	}))
	if err == nil {
		err = out.end()
	}
	switch {
	case err == nil:
	case c.Writer.Written():
		panic(http.ErrAbortHandler) // the client sees a broken stream, not a short one
	case errors.Is(context.Cause(ctx), errClosing):
		respond.RetryLater(c, http.StatusServiceUnavailable, 5, errClosing.Error())
	default:
		respond.Error(c, err)
	}
}

// atMost ends a query with its nth line, without a search for one more; 0 is no end.
func atMost(n int, send func(query.Line) error) func(query.Line) error {
	return func(l query.Line) error {
		if err := send(l); err != nil {
			return err
		}
		if n--; n == 0 {
			return query.ErrStop
		}
		return nil
	}
}

func (o *outlet) ndjson(fields []string) func(query.Line) error {
	return func(l query.Line) error {
		o.buf.Write(project(l.JSON, fields))
		o.buf.WriteByte('\n')
		return nil
	}
}

// csvFields are the columns when none are asked for.
var csvFields = []string{
	"seq", "ts", "kind", "host", "producer", "tick", "container", "name", "image", "class", "cpu_millicores", "ram_kb",
	"vsz_kb", "rss_kb", "verdict", "reason", "action", "phase", "outcome", "event", "message",
}

func (o *outlet) csv(fields []string) func(query.Line) error {
	if len(fields) == 0 {
		fields = csvFields
	}
	w := csv.NewWriter(&o.buf)
	header := w.Write(fields)
	w.Flush()
	row := make([]string, len(fields))
	return func(l query.Line) error {
		if header != nil {
			return header
		}
		var flat map[string]json.RawMessage
		if err := json.Unmarshal(l.JSON, &flat); err != nil {
			return err
		}
		for i, f := range fields {
			row[i] = cell(flat[f])
		}
		err := w.Write(row)
		w.Flush()
		return err
	}
}

// cell is a JSON value as text. A text that a spreadsheet would run as a formula gets an apostrophe before it: names
// and command lines are hostile.
func cell(raw json.RawMessage) string {
	if len(raw) == 0 || raw[0] != '"' {
		return string(raw)
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return string(raw)
	}
	if s != "" && bytes.IndexByte([]byte("=+-@\t\r"), s[0]) >= 0 {
		return "'" + s
	}
	return s
}

// project keeps the asked fields of a record, in the asked order; none asked for keeps all.
func project(line []byte, fields []string) []byte {
	if len(fields) == 0 {
		return line
	}
	var flat map[string]json.RawMessage
	if json.Unmarshal(line, &flat) != nil {
		return line
	}
	out := []byte{'{'}
	for _, f := range fields {
		raw, ok := flat[f]
		if !ok {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		name, err := json.Marshal(f)
		if err != nil {
			continue
		}
		out = append(append(append(out, name...), ':'), raw...)
	}
	return append(out, '}')
}

// urlValues encodes pairs of name and value.
func urlValues(pairs ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v.Encode()
}
