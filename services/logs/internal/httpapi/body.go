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
	// paceBytes have to arrive every paceTime, or what is left of the body: 3 KiB/s. bodyTime ends it whatever arrives.
	paceBytes = 16 << 10
	paceTime  = 5 * time.Second
	bodyTime  = 30 * time.Second
	// roomWait is how long a body waits for room. Others are told to come back instead of being held too, and a producer's
	// spool does.
	roomWait = 2 * time.Second
	// firstPiece is the room that a body takes with its first byte; then it doubles.
	firstPiece = 4 << 10
)

var (
	errTooLarge = errors.New("too large")
	errNoRoom   = errors.New("other requests' bodies take all the room: try again")
	errSlow     = fmt.Errorf("the body came too slowly: fewer than %d KiB in %s, or not all of it in %s", paceBytes>>10, paceTime, bodyTime)
)

// arrival is a body that is being read. What it holds is given back by end.
type arrival struct {
	ctx    context.Context //nolint:containedctx // of the one request that the body is of
	room   *room
	client string
	held   int64
	most   int64 // that it may need: one byte more than it may have, which tells that it is too large, or that it has ended
	pace   *pace
}

// arrive begins to read the body of a request. The suite's own services have room of their own, which no other client can
// take: a host that is flooded with requests is still governed on record.
func (in *ingest) arrive(c *gin.Context) *arrival {
	a := &arrival{ctx: c.Request.Context(), room: in.room, client: listener.Client(c.Request.RemoteAddr), most: contract.MaxBodyBytes + 1}
	if n := c.Request.ContentLength; n >= 0 && n < contract.MaxBodyBytes && c.GetHeader("Content-Encoding") == "" {
		a.most = n + 1
	}
	if holds(in.Auth.Suite, bearer(c.GetHeader("Authorization"))) {
		a.room = in.inner
	}
	a.pace = &pace{body: c.Request.Body, control: http.NewResponseController(c.Writer), end: time.Now().Add(bodyTime)}
	return a
}

// end gives the room back.
func (a *arrival) end() {
	if a.held > 0 {
		a.room.give(a.client, a.held)
	}
}

// read reads src to its end behind what is in buf.
func (a *arrival) read(buf []byte, src io.Reader) ([]byte, error) {
	for {
		if int64(len(buf)) == a.held {
			if err := a.grow(); err != nil {
				return buf, err
			}
		}
		if int64(cap(buf)) < a.held {
			buf = append(make([]byte, 0, a.held), buf...)
		}

		n, err := src.Read(buf[len(buf):min(int64(cap(buf)), a.held)])
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

// grow doubles the room.
func (a *arrival) grow() error {
	more := min(max(2*a.held, firstPiece), a.most) - a.held
	ctx, cancel := context.WithTimeout(a.ctx, roomWait)
	defer cancel()
	switch {
	case a.room.take(ctx, a.client, more) == nil:
		a.held += more
		a.pace.restart() // the wait was not the client's
		return nil
	case a.ctx.Err() != nil:
		return a.ctx.Err()
	default:
		return errNoRoom
	}
}

// pace is a request's body that has to keep coming.
type pace struct {
	body    io.Reader
	control *http.ResponseController
	end     time.Time
	due     int // bytes that have to come until the deadline that is set
}

// Read implements io.Reader.
func (p *pace) Read(b []byte) (int, error) {
	if p.due <= 0 {
		p.due = paceBytes
		deadline := time.Now().Add(paceTime)
		if p.end.Before(deadline) {
			deadline = p.end
		}
		if err := p.control.SetReadDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return 0, err
		}
	}
	n, err := p.body.Read(b)
	p.due -= n
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errSlow
	}
	return n, err
}

func (p *pace) restart() { p.due = 0 }

// body reads the whole body into buf, unzipped, within the limits; without it the request is answered.
func (in *ingest) body(c *gin.Context, a *arrival, buf []byte) ([]byte, bool) {
	if c.Request.ContentLength > contract.MaxBodyBytes {
		failBody(c, errTooLarge)
		return buf, false
	}

	var src io.Reader = http.MaxBytesReader(c.Writer, io.NopCloser(a.pace), contract.MaxBodyBytes)
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

	buf, err := a.read(buf, src)
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
	case errors.Is(err, errNoRoom):
		respond.RetryLater(c, http.StatusTooManyRequests, 1, err.Error())
	case errors.Is(err, errSlow):
		respond.Problem(c, http.StatusRequestTimeout, err.Error())
	case c.Request.Context().Err() != nil:
		c.Abort() // the client has gone
	default:
		respond.Problem(c, http.StatusBadRequest, "the body could not be read: "+err.Error())
	}
}
