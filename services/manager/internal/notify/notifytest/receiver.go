// Package notifytest is a webhook in memory: a server over HTTP whose connections are pipes, so that it lives in the time of a
// testing/synctest bubble.
package notifytest

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Receiver is the server. Make one with New within the bubble; it receives between Serve and Close.
type Receiver struct {
	began    time.Time
	incoming chan net.Conn
	closed   chan struct{}
	server   *http.Server

	mu     sync.Mutex // guards all following fields
	answer http.HandlerFunc
	calls  []Call
}

// Call is one call that was received.
type Call struct {
	After time.Duration // since the receiver was made
	Body  []byte
}

// Notice is what a receiver sees of a notice; Container is empty in that of a project.
type Notice struct {
	Text, Rule, Container, Name, Step string
	ActionID                          string `json:"action_id"`
}

// Notices are those of the call: one by itself, or several.
func (c Call) Notices() []Notice {
	var body struct {
		Notice
		Notices []Notice
	}
	switch err := json.Unmarshal(c.Body, &body); {
	case err != nil:
		return nil
	case body.ActionID != "":
		return []Notice{body.Notice}
	default:
		return body.Notices
	}
}

// IDs are the action ids of the call's notices.
func (c Call) IDs() (ids []string) {
	for _, n := range c.Notices() {
		ids = append(ids, n.ActionID)
	}
	return ids
}

// New makes a receiver that answers each call so.
func New(answer http.HandlerFunc) *Receiver {
	r := &Receiver{began: time.Now(), incoming: make(chan net.Conn), closed: make(chan struct{}), answer: answer}
	r.server = &http.Server{Handler: r}
	return r
}

// Serve receives until Close.
func (r *Receiver) Serve() { _ = r.server.Serve((*listener)(r)) }

// Close ends Serve, and all connections.
func (r *Receiver) Close() { _ = r.server.Close() }

// Dial connects to it, whatever the address.
func (r *Receiver) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case r.incoming <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ServeHTTP keeps the call and answers it.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	call := Call{After: time.Since(r.began)}
	call.Body, _ = io.ReadAll(req.Body)
	r.mu.Lock()
	r.calls = append(r.calls, call)
	answer := r.answer
	r.mu.Unlock()
	answer(w, req)
}

// Answers changes how later calls are answered.
func (r *Receiver) Answers(with http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = with
}

// Calls are all that came so far, in order.
func (r *Receiver) Calls() []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// Times are those at which it was called.
func (r *Receiver) Times() (out []time.Duration) {
	for _, c := range r.Calls() {
		out = append(out, c.After)
	}
	return out
}

// Status answers with a status and nothing else.
func Status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// listener is the receiver as its own server sees it.
type listener Receiver

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.incoming:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error   { close(l.closed); return nil }
func (l *listener) Addr() net.Addr { return &net.TCPAddr{} }
