package notify

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
)

// Reach says what keeps calls from the receiver, "" where nothing does as far as a connection shows. It connects to the receiver, or to
// the proxy on the way there, and sends nothing. The text holds nothing of the address.
func (c Config) Reach(ctx context.Context) (why string) {
	address, err := c.URL()
	if err != nil {
		return err.Error()
	}
	u, err := url.Parse(address)
	if err != nil {
		return errNoURL.Error()
	}

	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u}) //nolint:forbidigo // as the call itself
	if err != nil {
		return "HTTPS_PROXY is no address"
	}
	if proxy != nil {
		u = proxy
	}

	conn, err := new(net.Dialer).DialContext(ctx, "tcp", hostPort(u))
	switch {
	case err != nil && proxy != nil:
		return "the proxy (HTTPS_PROXY) cannot be reached"
	case err != nil:
		return describe(err)
	}
	defer conn.Close() //nolint:errcheck // nothing was sent

	// What is behind a proxy only a call shows.
	if proxy != nil || u.Scheme != "https" {
		return ""
	}
	return c.handshake(ctx, conn, u.Hostname())
}

// handshake says what is wrong with the receiver's TLS.
func (c Config) handshake(ctx context.Context, conn net.Conn, name string) (why string) {
	authorities, err := c.authorities()
	if err != nil {
		return err.Error()
	}

	config := &tls.Config{ServerName: name, RootCAs: authorities, MinVersion: tls.VersionTLS12}
	err = tls.Client(conn, config).HandshakeContext(ctx)
	if err == nil {
		return ""
	}
	return describe(err)
}

// hostPort is where the address leads to: a receiver's, or a proxy's, which may speak SOCKS.
func hostPort(u *url.URL) string {
	port := "1080"
	switch u.Scheme {
	case "http":
		port = "80"
	case "https":
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))
}
