package listener_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"gestor.local/logs/internal/listener"
	"gestor.local/logs/internal/listener/listenertest"
)

// serve runs a server with room for so many connections until the test ends. /hold answers when release is closed.
func serve(t *testing.T, most, each int, release chan struct{}) (*listenertest.Pipes, *listener.Listener) {
	t.Helper()
	p := listenertest.New()
	l := listener.New(p, most, each)
	server := &http.Server{ConnContext: l.Context, Handler: l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hold" {
			<-release
		}
		io.WriteString(w, "ok")
	}))}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := server.Shutdown(context.Background()); err != nil { // every connection has ended then
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return p, l
}

type count struct{ open, closed, refused float64 }

// counts are the listener's metrics.
func counts(t *testing.T, l *listener.Listener) (c count) {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(l.Metrics())
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		m := f.GetMetric()[0]
		switch f.GetName() {
		case "gestor_logs_connections":
			c.open = m.GetGauge().GetValue()
		case "gestor_logs_connections_closed_total":
			c.closed = m.GetCounter().GetValue()
		case "gestor_logs_connections_refused_total":
			c.refused = m.GetCounter().GetValue()
		}
	}
	return c
}

// ask sends a request over a connection and returns the status, "" when the connection is gone.
func ask(c net.Conn, path string) string {
	go io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return ""
	}
	io.Copy(io.Discard, res.Body)
	return strings.Fields(res.Status)[0]
}

// However many idle connections one client holds, begun heads included, others and itself are served.
func TestIdleConnectionsKeepNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, l := serve(t, 8, 6, nil)
		var idle []net.Conn
		for i := range 40 {
			c := p.Dial("10.0.0.1:1")
			defer c.Close()
			idle = append(idle, c)
			if i%2 == 0 {
				go io.WriteString(c, "GET / HT") // and never the rest
			}
			synctest.Wait()
		}
		if got := counts(t, l); got != (count{open: 6, closed: 34}) {
			t.Errorf("%+v; want 6 open and 34 closed", got)
		}
		for _, from := range []string{"10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1", "10.0.0.1:2"} {
			c := p.Dial(from)
			defer c.Close()
			if got := ask(c, "/"); got != "200" {
				t.Errorf("%s: %q", from, got)
			}
		}
		if ask(idle[0], "/") != "" {
			t.Error("the connection that was idle for longest is still open")
		}
	})
}

// Requests that are worked on are not cut off: a client at its share is refused, another one is not.
func TestBusyConnectionsAreLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p, l := serve(t, 8, 3, release)
		answers := make(chan string, 3)
		for range 3 {
			c := p.Dial("10.0.0.1:1")
			defer c.Close()
			go func() { answers <- ask(c, "/hold") }()
			synctest.Wait()
		}

		more := p.Dial("10.0.0.1:2")
		defer more.Close()
		if got := ask(more, "/"); got != "503" || counts(t, l).refused != 1 {
			t.Errorf("beyond its share: %q, %+v", got, counts(t, l))
		}
		other := p.Dial("10.0.0.2:1")
		defer other.Close()
		if got := ask(other, "/"); got != "200" {
			t.Errorf("another client: %q", got)
		}

		close(release)
		for range 3 {
			if got := <-answers; got != "200" {
				t.Errorf("a request that was worked on: %q", got)
			}
		}
	})
}

// A connection counts until it ends, and no longer.
func TestWhatHasEndedTakesNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, l := serve(t, 2, 2, nil)
		for range 10 {
			c := p.Dial("10.0.0.1:1")
			if got := ask(c, "/"); got != "200" {
				t.Errorf("%q", got)
			}
			c.Close()
			synctest.Wait()
		}
		if got := counts(t, l); got != (count{}) {
			t.Errorf("%+v, want nothing", got)
		}
	})
}

func TestClientIsAnAddress(t *testing.T) {
	for remote, want := range map[string]string{
		"10.0.0.1:80": "10.0.0.1", "[::ffff:10.0.0.1]:80": "10.0.0.1", "[2001:db8:1:2:3::4]:80": "2001:db8:1:2::/64",
		"@": "@", "": "",
	} {
		if got := listener.Client(remote); got != want {
			t.Errorf("%q: %q, want %q", remote, got, want)
		}
	}
}
