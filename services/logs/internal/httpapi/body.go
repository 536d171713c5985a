package httpapi

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"gestor.local/contract"

	"gestor.local/logs/internal/listener"
	"gestor.local/logs/internal/respond"
)

// How a body arrives. A client that announces much and sends little holds little, and one that stops sending is ended.
const (
	// minBytes have to arrive every minBytesTime, or what is left of the body: 3 KiB/s. maxBodyTime ends it whatever arrives.
	minBytes     = 16 << 10
	minBytesTime = 5 * time.Second
	maxBodyTime  = 30 * time.Second
	// budgetWait is how long a body waits for memory. Others get 429 instead of waiting too, and come back: a producer's
	// spool does.
	budgetWait = 2 * time.Second
	// firstReservation is the memory that a body takes with its first byte; then it doubles.
	firstReservation = 4 << 10
)

var (
	errTooLarge = errors.New("too large")
	errNoBudget = errors.New("other requests' bodies take all the room: try again")
	errSlow     = fmt.Errorf("the body came too slowly: fewer than %d KiB in %s, or not all of it in %s", minBytes>>10, minBytesTime, maxBodyTime)
)

// bodyReader is a body that is being read. The memory that it has reserved is given back by release.
type bodyReader struct {
	ctx      context.Context //nolint:containedctx // of the one request that the body is of
	budget   *bodyBudget
	client   string
	reserved int64
	limit    int64 // that it may need: one byte more than it may have, which shows that it is too large, or that it has ended
	paced    *pacedReader
}

// newBodyReader begins to read the body of a request. The suite's own services have a budget of their own, which no
// other client can take: a host that is flooded with requests is still governed on record.
func (in *ingest) newBodyReader(c *gin.Context) *bodyReader {
	r := &bodyReader{ctx: c.Request.Context(), budget: in.budget, client: listener.Client(c.Request.RemoteAddr), limit: contract.MaxBodyBytes + 1}

	// An announced length only lowers the limit: what does not arrive takes no memory.
	if n := c.Request.ContentLength; n >= 0 && n < contract.MaxBodyBytes && c.GetHeader("Content-Encoding") == "" {
		r.limit = n + 1
	}
	if tokenMatches(in.Auth.Suite, bearer(c.GetHeader("Authorization"))) {
		r.budget = in.suiteBudget
	}

	r.paced = &pacedReader{body: c.Request.Body, control: http.NewResponseController(c.Writer), deadline: time.Now().Add(maxBodyTime)}
	return r
}

// release gives the memory back.
func (r *bodyReader) release() {
	if r.reserved > 0 {
		r.budget.release(r.client, r.reserved)
	}
}

// read reads src to its end behind what is in buf.
func (r *bodyReader) read(buf []byte, src io.Reader) ([]byte, error) {
	for {
		if int64(len(buf)) == r.reserved {
			if err := r.grow(); err != nil {
				return buf, err
			}
		}
		if int64(cap(buf)) < r.reserved {
			buf = append(make([]byte, 0, r.reserved), buf...)
		}

		n, err := src.Read(buf[len(buf):min(int64(cap(buf)), r.reserved)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > contract.MaxBodyBytes:
			return buf, errTooLarge
		case errors.Is(err, io.EOF):
			return buf, nil
		case err != nil:
			return buf, err
		}
	}
}

// grow doubles the reserved memory, and waits for it for a while.
func (r *bodyReader) grow() error {
	more := min(max(2*r.reserved, firstReservation), r.limit) - r.reserved

	ctx, cancel := context.WithTimeout(r.ctx, budgetWait)
	defer cancel()

	switch {
	case r.budget.acquire(ctx, r.client, more) == nil:
		r.reserved += more
		r.paced.reset()
		return nil
	case r.ctx.Err() != nil:
		return r.ctx.Err()
	default:
		return errNoBudget
	}
}

// pacedReader is a request's body that has to keep coming.
type pacedReader struct {
	body      io.Reader
	control   *http.ResponseController
	deadline  time.Time
	remaining int // bytes that have to come until the deadline that is set
}

// Read implements io.Reader.
func (p *pacedReader) Read(b []byte) (int, error) {
	// The next part has its own deadline, but for the last one that the whole body has.
	if p.remaining <= 0 {
		p.remaining = minBytes
		deadline := time.Now().Add(minBytesTime)
		if p.deadline.Before(deadline) {
			deadline = p.deadline
		}
		if err := p.control.SetReadDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return 0, err
		}
	}

	n, err := p.body.Read(b)
	p.remaining -= n
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errSlow
	}
	return n, err
}

// reset begins a new part: what was waited for was not the client.
func (p *pacedReader) reset() { p.remaining = 0 }

// readBody reads the whole body into buf, unzipped, within the limits; without it the request is answered.
func (in *ingest) readBody(c *gin.Context, r *bodyReader, buf []byte) ([]byte, bool) {
	if c.Request.ContentLength > contract.MaxBodyBytes {
		failBody(c, errTooLarge)
		return buf, false
	}

	// Both lengths are bounded, that of what is sent here and that of what it unpacks to by read.
	var src io.Reader = http.MaxBytesReader(c.Writer, io.NopCloser(r.paced), contract.MaxBodyBytes)
	switch encoding := c.GetHeader("Content-Encoding"); strings.ToLower(encoding) { // RFC 9110, section 8.4.1
	case "", "identity":

	case "gzip":
		unzipped, err := gzip.NewReader(src)
		if err != nil {
			failBody(c, fmt.Errorf("it is not gzip: %w", err))
			return buf, false
		}
		src = unzipped

	default:
		respond.Problem(c, http.StatusUnsupportedMediaType, fmt.Sprintf("Content-Encoding %q is not taken: send gzip or none", encoding))
		return buf, false
	}

	buf, err := r.read(buf, src)
	if err != nil {
		failBody(c, err)
		return buf, false
	}
	return buf, true
}

// failBody answers a request whose body could not be read. What is left of it will not be, so that the connection ends.
func failBody(c *gin.Context, err error) {
	c.Header("Connection", "close")

	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, errTooLarge), errors.As(err, &tooLarge):
		respond.Problem(c, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes: send smaller batches", contract.MaxBodyBytes))
	case errors.Is(err, errNoBudget):
		respond.RetryLater(c, http.StatusTooManyRequests, 1, err.Error())
	case errors.Is(err, errSlow):
		respond.Problem(c, http.StatusRequestTimeout, err.Error())
	case c.Request.Context().Err() != nil:
		c.Abort() // the client has gone
	default:
		respond.Problem(c, http.StatusBadRequest, "the body could not be read: "+err.Error())
	}
}
