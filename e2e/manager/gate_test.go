package manager

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"
)

// gate stands between the manager and the engine and holds what would change one container, so that a test can do
// something in the middle of acting however fast the engine is.
type gate struct {
	h       *house
	engine  string        // the setting that leads the manager through it
	waits   chan struct{} // gets a value when a call waits
	release chan struct{} // closed: nothing waits any more
}

func (h *house) gate(id string) *gate {
	h.Helper()
	engine := h.engine.Client.Dialer()
	pass := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "engine"})
	pass.FlushInterval = -1 // events
	pass.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return engine(ctx)
	}}
	g := &gate{h: h, waits: make(chan struct{}, 1), release: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || !strings.Contains(r.URL.Path, id) || g.hold(r.Context()) {
			pass.ServeHTTP(w, r)
		}
	}))
	h.Cleanup(server.Close)
	g.engine = "GESTOR_ENGINE=" + strings.Replace(server.URL, "http", "tcp", 1)
	return g
}

// hold is false when the caller went away meanwhile.
func (g *gate) hold(ctx context.Context) bool {
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

// reached waits until the manager is about to change the container.
func (g *gate) reached() {
	g.h.Helper()
	select {
	case <-g.waits:
	case <-time.After(soon):
		g.h.Fatalf("the manager did not come to the container within %s", soon)
	}
}
