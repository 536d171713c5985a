// Package listener bounds the connections of a server, so that no client keeps others out by holding many.
//
// What it promises:
//   - the server has at most so many connections, and one client at most a share of them;
//   - a new connection is never kept waiting by idle ones: where there is no room, the one that has been without a request
//     for longest is closed, of the client that has most;
//   - a request that is being worked on is never cut off for another: when no connection is idle the new one is refused.
//
// A client is an address. Behind a published port of Docker all clients outside the host's networks have the address of
// the gateway: they share one share, and the suite's own services, which have addresses of their own, keep theirs.
package listener

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Listener is a net.Listener for one http.Server, which must have Context as its ConnContext and Handler around its
// handler.
type Listener struct {
	net.Listener
	maxTotal, maxPerClient int

	closed, refused atomic.Uint64

	mu    sync.Mutex // guards the following fields, and those of the connections from busy on
	open  map[*conn]struct{}
	count map[string]int // by client
}

// New bounds the connections of a listener to maxTotal, those of one client to maxPerClient.
func New(inner net.Listener, maxTotal, maxPerClient int) *Listener {
	return &Listener{Listener: inner, maxTotal: maxTotal, maxPerClient: maxPerClient, open: map[*conn]struct{}{}, count: map[string]int{}}
}

// conn is one connection.
type conn struct {
	net.Conn
	listener  *Listener
	client    string
	busy      bool      // a request is being worked on
	idleSince time.Time // since when none is
	removed   bool
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		inner, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}

		c := &conn{Conn: inner, listener: l, client: Client(inner.RemoteAddr().String()), idleSince: time.Now()}
		admitted, closed := l.admit(c)
		if closed != nil {
			l.closed.Add(1)
			closed.Conn.Close() // its server sees the end of it
		}
		if admitted {
			return c, nil
		}

		l.refused.Add(1)
		refuse(inner)
	}
}

// admit takes in a connection if there is room for it, or for it instead of another, which the caller closes.
func (l *Listener) admit(c *conn) (admitted bool, closed *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()

	// Who is at its share makes room among its own connections: others are not closed for it.
	switch {
	case l.count[c.client] >= l.maxPerClient:
		closed = l.longestIdle(func(other *conn) bool { return other.client == c.client })
	case len(l.open) >= l.maxTotal:
		closed = l.longestIdle(func(*conn) bool { return true })
	default:
		admitted = true
	}

	if closed != nil {
		l.remove(closed)
		admitted = true
	}
	if admitted {
		l.open[c] = struct{}{}
		l.count[c.client]++
	}
	return admitted, closed
}

// longestIdle is the connection that has been idle for longest, of the client that has most; nil when all are busy. The
// caller holds mu.
func (l *Listener) longestIdle(eligible func(*conn) bool) (longest *conn) {
	for c := range l.open {
		if c.busy || !eligible(c) {
			continue
		}

		// Who holds most gives first; of one client, and among equals, the one that has been idle for longest goes.
		if longest == nil || l.count[c.client] > l.count[longest.client] ||
			l.count[c.client] == l.count[longest.client] && c.idleSince.Before(longest.idleSince) {
			longest = c
		}
	}
	return longest
}

// remove takes a connection out of the counts. The caller holds mu.
func (l *Listener) remove(c *conn) {
	if c.removed {
		return
	}
	c.removed = true

	delete(l.open, c)
	if l.count[c.client]--; l.count[c.client] == 0 {
		delete(l.count, c.client)
	}
}

// response503 is the answer to a connection for which there is no room. It is best effort: a client that is still sending may
// see the end of the connection instead.
const response503 = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

// refuse answers 503 and closes.
func refuse(c net.Conn) {
	_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)) // it fits into the kernel's buffer
	_, _ = c.Write([]byte(response503))
	c.Close()
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.listener.mu.Lock()
	c.listener.remove(c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite lets the server send an answer to a client whose body it does not read to its end.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

type contextKey struct{}

// Context is the http.Server's ConnContext: it leads from a request to its connection.
func (l *Listener) Context(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, contextKey{}, c)
}

// Handler marks connections as busy while next works on a request of theirs. Until then, while a request's head is still
// arriving, they are idle: a client that never sends the rest keeps nobody out.
func (l *Listener) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, ok := r.Context().Value(contextKey{}).(*conn)
		if ok {
			if !l.markBusy(c) {
				panic(http.ErrAbortHandler) // it was closed for another one meanwhile
			}
			defer l.markIdle(c)
		}

		next.ServeHTTP(w, r)
	})
}

// markBusy is false when the connection was closed meanwhile.
func (l *Listener) markBusy(c *conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.busy = true
	return !c.removed
}

func (l *Listener) markIdle(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.busy, c.idleSince = false, time.Now()
}

// Client is what requests of one client have in common, given its address with the port: the address, of IPv6 the network
// of 64 bits, which is what one machine gets.
func Client(remote string) string {
	addrPort, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote
	}

	addr := addrPort.Addr().Unmap()
	if addr.Is6() {
		if network, err := addr.Prefix(64); err == nil {
			return network.String()
		}
	}

	return addr.String()
}
