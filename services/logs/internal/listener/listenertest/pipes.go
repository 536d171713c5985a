// Package listenertest has a listener in memory, for servers inside a synctest bubble.
package listenertest

import (
	"net"
	"sync"
)

// Pipes is a listener whose clients have the addresses that a test gives them.
type Pipes struct {
	dialled chan net.Conn
	ended   chan struct{}
	once    sync.Once
}

// New returns a listener without clients.
func New() *Pipes { return &Pipes{dialled: make(chan net.Conn), ended: make(chan struct{})} }

// Dial is a new connection of a client; from is its address with a port.
func (p *Pipes) Dial(from string) net.Conn {
	server, client := net.Pipe()
	p.dialled <- conn{server, address(from)}
	return client
}

// Accept implements net.Listener.
func (p *Pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.dialled:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *Pipes) Close() error {
	p.once.Do(func() { close(p.ended) })
	return nil
}

// Addr implements net.Listener.
func (p *Pipes) Addr() net.Addr { return address("pipes") }

type conn struct {
	net.Conn
	remote address
}

func (c conn) RemoteAddr() net.Addr { return c.remote }

type address string

func (a address) Network() string { return "test" }
func (a address) String() string  { return string(a) }
