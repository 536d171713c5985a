package scenario

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"time"
)

// PausingProxy stands between the manager and the engine and holds what would change some containers, so that a test can do
// something in the middle of acting however fast the engine is.
type PausingProxy struct {
	Setting string // leads the manager through it

	h       *Suite
	waits   chan struct{} // gets a value when a call waits
	release chan struct{} // closed: nothing waits any more
}

// PausingProxy makes one for the containers with these ids.
func (h *Suite) PausingProxy(ids ...string) *PausingProxy {
	h.Helper()
	engine := h.Engine.Client.Dialer()
	pass := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "engine"})
	pass.FlushInterval = -1 // events
	pass.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return engine(ctx)
	}}

	// Looking passes always: what a test wants to come between is the look and the act.
	g := &PausingProxy{h: h, waits: make(chan struct{}, 1), release: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		about := func(id string) bool { return strings.Contains(r.URL.Path, id) }
		if r.Method == http.MethodGet || !slices.ContainsFunc(ids, about) || g.hold(r.Context()) {
			pass.ServeHTTP(w, r)
		}
	}))
	h.Cleanup(server.Close)

	g.Setting = "GESTOR_ENGINE=" + strings.Replace(server.URL, "http", "tcp", 1)
	return g
}

// Release lets everything pass from now on.
func (g *PausingProxy) Release() { close(g.release) }

// hold is false when the caller went away meanwhile.
func (g *PausingProxy) hold(ctx context.Context) bool {
	select {
	case g.waits <- struct{}{}:
	default:
	}

	select {
	case <-g.release:
		return true
	case <-ctx.Done():
		return false
	}
}

// WaitPaused waits until the manager is about to change one of them.
func (g *PausingProxy) WaitPaused() {
	g.h.Helper()
	select {
	case <-g.waits:
	case <-time.After(Soon):
		g.h.Fatalf("the manager did not come to it within %s", Soon)
	}
}
