package engine

import (
	"errors"
	"io"
	"net/http"

	docker "github.com/docker/docker/client"
)

// maxAnswer is the most of one answer that is read: in a list it leaves 3.3 KiB for each of 10,000 containers. Labels have no bound of
// their own, and whoever may start a container may give it as many as the memory of the manager is large.
const maxAnswer = 32 << 20

// errTooLarge is why a larger answer is none.
var errTooLarge = errors.New("the engine's answer is larger than 32 MiB")

// boundAPI is a client of the engine whose answers are bounded.
type boundAPI struct {
	*docker.Client
	transport *http.Transport
}

// newAPI makes one. The client knows nothing any more of the transport behind the bound: neither that it speaks TLS, nor its connections.
func newAPI(opts ...docker.Opt) (*boundAPI, error) {
	a := &boundAPI{}
	bound := func(c *docker.Client) error {
		h := c.HTTPClient()
		t, ok := h.Transport.(*http.Transport)
		if !ok {
			return errors.New("the client has no transport of its own")
		}

		a.transport, h.Transport = t, bounded{t}
		if t.TLSClientConfig != nil {
			if err := docker.WithScheme("https")(c); err != nil {
				return err
			}
		}
		return docker.WithHTTPClient(h)(c)
	}

	var err error
	a.Client, err = docker.NewClientWithOpts(append(opts, bound)...)
	return a, err
}

// Close drops the idle connections.
func (a *boundAPI) Close() error {
	a.transport.CloseIdleConnections()
	return nil
}

// bounded ends answers that are too large with an error.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		response.Body = &boundedBody{ReadCloser: response.Body, left: maxAnswer}
	}
	return response, err
}

type boundedBody struct {
	io.ReadCloser
	left int // that may still be read
}

func (b *boundedBody) Read(to []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	n, err := b.ReadCloser.Read(to[:min(len(to), b.left)])
	b.left -= n
	return n, err
}
