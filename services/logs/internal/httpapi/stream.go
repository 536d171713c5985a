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

// writeTimeout is how long a stream waits for a client that does not read.
const writeTimeout = 30 * time.Second

// streamWriter writes a stream: the deadline moves with every flush, so that a long answer is no slow client.
type streamWriter struct {
	c         *gin.Context
	control   *http.ResponseController
	buf       bytes.Buffer
	flushedAt time.Time    // when it was last flushed
	gzip      *gzip.Writer // nil: it goes out as it is
}

func newStreamWriter(c *gin.Context, media string) *streamWriter {
	c.Header("Content-Type", media)
	c.Header("X-Accel-Buffering", "no")
	return &streamWriter{c: c, control: http.NewResponseController(c.Writer)}
}

// newGzipStreamWriter is newStreamWriter for a client that may take it packed. The header that says so is set with the first
// bytes: until then the answer may be a problem, which is not packed.
func newGzipStreamWriter(c *gin.Context, media string) *streamWriter {
	w := newStreamWriter(c, media)
	c.Header("Vary", "Accept-Encoding")
	if respond.AcceptsGzip(c) {
		w.gzip = respond.NewGzipWriter(c.Writer)
	}
	return w
}

// close sends what is left. Without it a packed stream is broken off.
func (w *streamWriter) close() error {
	if w.gzip == nil {
		return w.flush()
	}

	if err := w.flush(); err != nil {
		return err
	}
	return w.gzip.Close()
}

// writeBuffer writes what is buffered, packed so that the client can unpack all of it now.
func (w *streamWriter) writeBuffer() error {
	if w.gzip == nil {
		_, err := w.c.Writer.Write(w.buf.Bytes())
		return err
	}

	w.c.Header("Content-Encoding", "gzip")
	if _, err := w.gzip.Write(w.buf.Bytes()); err != nil {
		return err
	}
	return w.gzip.Flush()
}

// flush sends what is buffered.
func (w *streamWriter) flush() error {
	if err := w.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if err := w.writeBuffer(); err != nil {
		return err
	}

	w.buf.Reset()
	w.flushedAt = time.Now()
	return w.control.Flush()
}

// flushIfLarge sends when enough has gathered.
func (w *streamWriter) flushIfLarge() error {
	if w.buf.Len() < 32<<10 {
		return nil
	}
	return w.flush()
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
	out := newGzipStreamWriter(c, media)
	write := out.ndjson(fields)
	if format == "csv" {
		write = out.csv(fields)
	}

	err := r.Query.Lines(ctx, q, limitLines(limit, func(l query.Line) error {
		if err := write(l); err != nil {
			return err
		}
		return out.flushIfLarge()
	}))
	if err == nil {
		err = out.close()
	}

	// What has been sent cannot be taken back: a stream that failed half-way is broken off, so that nobody takes it for whole.
	switch {
	case err == nil:
	case c.Writer.Written():
		panic(http.ErrAbortHandler)
	case errors.Is(context.Cause(ctx), errClosing):
		respond.RetryLater(c, http.StatusServiceUnavailable, 5, errClosing.Error())
	default:
		respond.Error(c, err)
	}
}

// limitLines ends a query with its nth line, without a search for one more; 0 is no end.
func limitLines(n int, send func(query.Line) error) func(query.Line) error {
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

func (w *streamWriter) ndjson(fields []string) func(query.Line) error {
	return func(l query.Line) error {
		w.buf.Write(project(l.JSON, fields))
		w.buf.WriteByte('\n')
		return nil
	}
}

// csvFields are the columns when none are asked for.
var csvFields = []string{
	"seq", "ts", "kind", "host", "producer", "tick", "container", "name", "image", "class", "cpu_millicores", "ram_kb",
	"vsz_kb", "rss_kb", "verdict", "reason", "action", "phase", "outcome", "event", "message",
}

func (w *streamWriter) csv(fields []string) func(query.Line) error {
	if len(fields) == 0 {
		fields = csvFields
	}
	out := csv.NewWriter(&w.buf)
	header := out.Write(fields)
	out.Flush()

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
			row[i] = csvCell(flat[f])
		}

		err := out.Write(row)
		out.Flush()
		return err
	}
}

// csvCell is a JSON value as text. A text that a spreadsheet would run as a formula gets an apostrophe before it: names
// and command lines are hostile.
func csvCell(raw json.RawMessage) string {
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

// encodeQuery encodes pairs of name and value.
func encodeQuery(pairs ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v.Encode()
}
