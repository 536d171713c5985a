package web

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"gestor.local/logs/internal/page"
)

// answerHead answers HEAD as GET without the body (RFC 9110, section 9.3.2).
func answerHead(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodHead || r.URL.Path == page.PathGraficar { // which writes files: 405
			next.ServeHTTP(w, r)
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		get := r.WithContext(ctx)
		get.Method = http.MethodGet
		head := &headWriter{ResponseWriter: w, streams: cancel}
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
	streams func() // called at a flush
	status  int
	length  int
	sent    bool
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
	h.send()
	h.streams()
}

// Unwrap is for http.ResponseController.
func (h *headWriter) Unwrap() http.ResponseWriter { return h.ResponseWriter }

func (h *headWriter) finish() {
	if !h.sent && h.length > 0 && h.Header().Get("Content-Length") == "" {
		h.Header().Set("Content-Length", strconv.Itoa(h.length))
	}
	h.send()
}

func (h *headWriter) send() {
	if h.sent {
		return
	}
	h.sent = true
	h.WriteHeader(http.StatusOK)
	h.ResponseWriter.WriteHeader(h.status)
}
