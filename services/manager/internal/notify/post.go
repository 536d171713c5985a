package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gestor.local/contract"
)

// callTimeout is how long a call may take, from the look-up of the name to the head of the answer.
const callTimeout = 10 * time.Second

// maxHeader bounds the head of an answer; its body is not read.
const maxHeader = 64 << 10

// problem is why a call failed.
type problem struct {
	why string // for people, without the address
	// refused says that the same call will fail until somebody changes something.
	refused bool
	after   time.Duration // what the receiver asked to wait
}

// backoff is how long to wait after so many calls in a row that failed.
func (p *problem) backoff(failures int) time.Duration {
	if p.refused {
		return refusedEvery
	}

	wait := callEvery
	for ; failures > 1 && wait < longestBackoff; failures-- {
		wait *= 2
	}
	return max(min(wait, longestBackoff), p.after)
}

// post makes one call. It returns nil when the notices are delivered.
func (s *Sender) post(ctx context.Context, notices []Notice) *problem {
	// Both are looked at anew for each call: whoever mends them need not restart anything.
	address, err := s.config.URL()
	if err != nil {
		return &problem{why: err.Error()}
	}

	transport, err := s.transport()
	if err != nil {
		return &problem{why: err.Error()}
	}
	defer transport.CloseIdleConnections()

	body, err := json.Marshal(messageOf(notices))
	if err != nil {
		return &problem{why: "the notice is no JSON"} // no field can be the reason
	}

	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return &problem{why: errNoURL.Error()}
	}

	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "gestor-manager/"+contract.Version)

	// A redirect would take the notice, and what a header holds, to somebody whom nobody has named.
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return &problem{why: describe(err)}
	}

	_ = resp.Body.Close() // not read: it may have no end
	return problemOf(resp)
}

// transport is one for a single call, so that a changed file of authorities counts from the next call on.
func (s *Sender) transport() (*http.Transport, error) {
	t := &http.Transport{
		Proxy:       http.ProxyFromEnvironment, //nolint:forbidigo // the only call out of the suite: it has to pass the proxy of the network
		DialContext: s.config.Dial, DisableKeepAlives: true, MaxResponseHeaderBytes: maxHeader,
		OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
			if resp.StatusCode != http.StatusOK {
				return proxyError(resp.StatusCode)
			}
			return nil
		},
	}

	authorities, err := s.config.authorities()
	if authorities != nil { // with a configuration of its own a transport speaks no HTTP/2
		t.TLSClientConfig = &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}
	}
	return t, err
}

// authorities are the system's and those of GESTOR_CA_FILE as it is now; without a file nil, which means the system's.
func (c Config) authorities() (*x509.CertPool, error) {
	if c.CAFile == "" {
		return nil, nil //nolint:nilnil // crypto/tls takes it for the system's
	}

	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}

	text, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read GESTOR_CA_FILE: %w", err)
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("GESTOR_CA_FILE holds no certificate: it has to be a PEM file")
	}
	return pool, nil
}

// problemOf is what an answer means.
func problemOf(resp *http.Response) *problem {
	status := strings.TrimSpace(strconv.Itoa(resp.StatusCode) + " " + http.StatusText(resp.StatusCode))
	switch code := resp.StatusCode; {
	case code/100 == 2:
		return nil

	case code/100 == 3:
		return &problem{why: "the receiver answers " + status + ", and redirects are not followed: give the address that it leads to"}

	case code/100 == 4 && code != http.StatusRequestTimeout && code != http.StatusTooManyRequests:
		why := "the receiver answers " + status + ": see that the address is right and still valid; it is tried each hour"
		return &problem{why: why, refused: true}

	default:
		return &problem{why: "the receiver answers " + status, after: retryAfter(resp.Header.Get("Retry-After"), time.Now())}
	}
}

// retryAfter reads the header of RFC 9110, section 10.2.3: seconds or a date, at most as long as between two calls to who
// refuses.
func retryAfter(value string, now time.Time) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.Atoi(value); err == nil {
		wait = time.Duration(min(seconds, int(refusedEvery/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), refusedEvery)
}

// proxyError is a proxy's answer that it does not connect.
type proxyError int

func (e proxyError) Error() string {
	return fmt.Sprintf("the proxy (HTTPS_PROXY) answers %d %s", int(e), http.StatusText(int(e)))
}

// describe says why there was no answer. The texts of the errors themselves hold the address, or its host, which is the secret
// of some receivers.
func describe(err error) string {
	var (
		proxy       proxyError
		op          *net.OpError
		name        *net.DNSError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		alert       tls.AlertError
	)

	// The proxy before the receiver, and a time-out before what it broke off.
	switch proxied := errors.As(err, &op) && op.Op == "proxyconnect"; {
	case errors.As(err, &proxy):
		return proxy.Error()
	case proxied:
		return "the proxy (HTTPS_PROXY) cannot be reached"
	case errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return "the receiver does not answer within 10 s"
	case errors.As(err, &name):
		return "the name of the receiver is not known here: the manager needs a network with a way out (compose.notify.yaml), or HTTPS_PROXY"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the receiver refuses the connection"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "there is no way to the receiver: the manager needs a network with a way out (compose.notify.yaml), or HTTPS_PROXY"
	case errors.As(err, &certificate):
		return "the receiver's certificate is not trusted: " + distrust(certificate.Err)
	case errors.As(err, &record), strings.Contains(err.Error(), "HTTP response to HTTPS client"):
		return "the receiver does not speak TLS: is its address http:// instead?"
	case errors.As(err, &alert):
		return "the receiver ends the TLS handshake"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the receiver cut the connection off"
	default:
		return fmt.Sprintf("the call fails (%T)", innermost(err))
	}
}

// distrust says what is wrong with a certificate.
func distrust(err error) string {
	var (
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
	)

	switch {
	case errors.As(err, &unknown):
		return "its authority is not known here (GESTOR_CA_FILE names a file with further ones)"
	case errors.As(err, &host):
		return "it is for another name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "it has expired, or this host's clock is wrong"
	default:
		return fmt.Sprintf("%T", err)
	}
}

func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
