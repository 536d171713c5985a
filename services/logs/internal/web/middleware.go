package web

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"gestor.local/contract"

	"gestor.local/logs/internal/page"
	"gestor.local/logs/internal/respond"
)

// requestObserver counts and logs requests.
type requestObserver struct {
	log     zerolog.Logger
	seconds *prometheus.HistogramVec
}

func newRequestObserver(d Deps) *requestObserver {
	o := &requestObserver{log: d.Log, seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "gestor_logs_request_seconds", Help: "Time to answer a request, streams included.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
	}, []string{"method", "path", "status"})}
	d.Metrics.MustRegister(o.seconds)
	return o
}

// middleware is the first of all: what the others refuse is counted too.
func (o *requestObserver) middleware(c *gin.Context) {
	start := time.Now()
	defer func() { // also when a stream is aborted by a panic
		path := c.FullPath()
		if path == "" {
			path = "none"
		}

		status := c.Writer.Status()

		elapsed := time.Since(start)
		o.seconds.WithLabelValues(methodLabel(c.Request.Method), path, strconv.Itoa(status)).Observe(elapsed.Seconds())

		event := o.log.Debug()
		if status >= 500 {
			event = o.log.Warn()
		}
		event.Str("method", c.Request.Method).Str("path", c.Request.URL.Path).Int("status", status).
			Dur("took_ms", elapsed).Msg("request")
	}()
	c.Next()
}

// methodLabel is a method as a label: whatever else a client calls itself is one series, not one each.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	default:
		return "other"
	}
}

// commonHeaders sets what every answer carries.
func commonHeaders(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache") // revalidate by ETag
	c.Next()
}

// The service listens where the browser of its machine reaches it, and every site that this browser shows can send it
// requests. Two checks keep them out; a client that is no browser passes both without doing anything.

// originCheck refuses what another site asks a browser to store or write.
type originCheck struct{ protection *http.CrossOriginProtection }

func newOriginCheck() originCheck { return originCheck{http.NewCrossOriginProtection()} }

func (o originCheck) middleware(c *gin.Context) {
	r := c.Request
	if r.URL.Path == page.PathGraficar { // it writes files, whatever its method
		r = r.Clone(r.Context())
		r.Method = http.MethodPost
	}

	if o.protection.Check(r) != nil {
		respond.Problem(c, http.StatusForbidden, "another site may not ask for this (Origin, Sec-Fetch-Site)")
	}
}

// hostCheck refuses names that are not this service's (contract.HostAllowed). A site that gave its own name this
// service's address could not send a token, so that with one for reading every name may be used.
type hostCheck struct {
	readToken string
	extra     contract.HostNames
}

func newHostCheck(d Deps) hostCheck { return hostCheck{readToken: d.ReadToken, extra: d.Hosts} }

func (h hostCheck) middleware(c *gin.Context) {
	if h.readToken == "" && !contract.HostAllowed(c.Request.Host, h.extra) {
		respond.Problem(c, http.StatusMisdirectedRequest, contract.HostRefused)
	}
}

// headAsGet answers HEAD as GET without the body (RFC 9110, section 9.3.2).
func headAsGet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodHead || r.URL.Path == page.PathGraficar { // which writes files: 405
			next.ServeHTTP(w, r)
			return
		}

		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		get := r.WithContext(ctx)
		get.Method = http.MethodGet

		head := &headWriter{ResponseWriter: w, onFlush: cancel}
		defer func() {
			v := recover()
			if err, ok := v.(error); v != nil && !(ok && errors.Is(err, http.ErrAbortHandler)) {
				panic(v)
			}
			head.finish()
		}()

		next.ServeHTTP(head, get)
	})
}

// headWriter counts a body instead of sending it. A stream has no length: its first flush ends it.
type headWriter struct {
	http.ResponseWriter
	onFlush     func() // called at a flush
	status      int
	length      int
	wroteHeader bool
}

// WriteHeader keeps the status until the length is known.
func (h *headWriter) WriteHeader(status int) {
	if h.status == 0 {
		h.status = status
	}
}

// Write implements io.Writer.
func (h *headWriter) Write(b []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	h.length += len(b)
	return len(b), nil
}

// Flush implements http.Flusher.
func (h *headWriter) Flush() {
	h.writeHeader()
	h.onFlush()
}

// Unwrap is for http.ResponseController.
func (h *headWriter) Unwrap() http.ResponseWriter { return h.ResponseWriter }

func (h *headWriter) finish() {
	if !h.wroteHeader && h.length > 0 && h.Header().Get("Content-Length") == "" {
		h.Header().Set("Content-Length", strconv.Itoa(h.length))
	}
	h.writeHeader()
}

func (h *headWriter) writeHeader() {
	if h.wroteHeader {
		return
	}
	h.wroteHeader = true
	h.WriteHeader(http.StatusOK)
	h.ResponseWriter.WriteHeader(h.status)
}
