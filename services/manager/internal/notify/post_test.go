package notify

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"gestor.local/contract"
	"gestor.local/manager/internal/notify/notifytest"
)

// to is a sender for one address.
func to(address string) *Sender {
	return New(Config{URL: func() (string, error) { return address, nil }})
}

// why is what a call says that failed, "" when it did not.
func (s *Sender) why(t *testing.T) string {
	t.Helper()
	if p := s.post(t.Context(), []Notice{notice(1)}); p != nil {
		return p.why
	}
	return ""
}

// wantWhy holds the reason against what it has to begin with, "" for a call that is delivered. It must hold nothing of the address.
func wantWhy(t *testing.T, s *Sender, want string) {
	t.Helper()
	got := s.why(t)
	if !strings.HasPrefix(got, want) || (want == "") != (got == "") {
		t.Errorf("%q, want %q", got, want)
	}
	for _, part := range []string{"s3cret", "p4ssword", "someb0dy", "127.0.0.1", "example.com", "hook.test"} {
		if strings.Contains(got, part) {
			t.Errorf("%q tells %q of the address", got, part)
		}
	}
}

// secret is an address at a server, with all that an address may hold.
func secret(server string) string {
	return strings.Replace(server, "://", "://someb0dy:p4ssword@", 1) + "/services/s3cret?token=s3cret"
}

func TestWhatACallIs(t *testing.T) {
	var method, path, media, agent, user string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		method, path, media, agent = r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"), r.Header.Get("User-Agent")
		user, _, _ = r.BasicAuth()
	}))
	defer server.Close()

	wantWhy(t, to(secret(server.URL)), "")
	got := []string{method, path, media, agent, user}
	want := []string{"POST", "/services/s3cret?token=s3cret", "application/json", "gestor-manager/" + contract.Version, "someb0dy"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestEveryStatusButSuccessFails(t *testing.T) {
	for code, want := range map[int]string{
		200: "", 201: "", 202: "", 204: "", 299: "",
		304: "the receiver answers 304 Not Modified, and redirects", 400: "the receiver answers 400 Bad Request: see that the address",
		404: "the receiver answers 404 Not Found: see that the address", 408: "the receiver answers 408 Request Timeout",
		429: "the receiver answers 429 Too Many Requests", 499: "the receiver answers 499: see that the address",
		500: "the receiver answers 500 Internal Server Error", 599: "the receiver answers 599",
	} {
		server := httptest.NewServer(notifytest.Status(code))
		wantWhy(t, to(secret(server.URL)), want)
		server.Close()
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	followed := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed = true }))
	defer other.Close()

	for _, code := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.RedirectHandler(other.URL+"/s3cret", code))
		want := fmt.Sprintf("the receiver answers %d %s, and redirects are not followed", code, http.StatusText(code))
		wantWhy(t, to(secret(server.URL)), want)
		server.Close()
	}
	if followed {
		t.Error("a redirect was followed")
	}
}

// hangUp answers each connection with a text, and closes it.
func hangUp(t *testing.T, text string) (address string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1<<10))
			_, _ = io.WriteString(c, text)
			c.Close()
		}
	}()
	return listener.Addr().String()
}

func TestWhyThereIsNoAnswer(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := listener.Addr().String()
	listener.Close()

	plain := httptest.NewServer(notifytest.Status(200))
	defer plain.Close()

	for name, tt := range map[string]struct{ address, want string }{
		"nobody listens":           {"http://" + nobody, "the receiver refuses the connection"},
		"cut off":                  {"http://" + hangUp(t, ""), "the receiver cut the connection off"},
		"no HTTP":                  {"http://" + hangUp(t, "SSH-2.0-s3cret\r\n"), "the call fails ("},
		"a head without end":       {"http://" + hangUp(t, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("s3cret", 20_000)), "the call fails ("},
		"HTTP where TLS was asked": {strings.Replace(plain.URL, "http", "https", 1), "the receiver does not speak TLS"},
		"the proxy says no":        {"https://refused.example.com", "the proxy (HTTPS_PROXY) answers 407 Proxy Authentication Required"},
	} {
		t.Run(name, func(t *testing.T) { wantWhy(t, to(secret(tt.address)), tt.want) })
	}
}

// Errors that a test cannot bring about without the outer world.
func TestDescribeTellsNothingOfTheAddress(t *testing.T) {
	noHost := &net.DNSError{Name: "hook.test", Err: "no such host", IsNotFound: true}
	inURL := func(err error) error { return &url.Error{Op: "Post", URL: secret("https://hook.test"), Err: err} }
	for want, err := range map[string]error{
		"the name of the receiver is not known here":        &net.OpError{Op: "dial", Err: noHost},
		"the receiver does not answer within 10 s":          context.DeadlineExceeded,
		"the proxy (HTTPS_PROXY) cannot be reached":         &net.OpError{Op: "proxyconnect", Err: errors.New("p4ssword")},
		"the call fails (*errors.errorString)":              errors.New("s3cret"),
		"the call fails (*fmt.wrapErrors)":                  fmt.Errorf("%w %w", errors.New("s3cret"), errors.New("hook.test")),
		"the receiver cut the connection off":               io.ErrUnexpectedEOF,
		"there is no way to the receiver: the manager need": &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)},
	} {
		if got := describe(inURL(err)); !strings.HasPrefix(got, want) {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// authority is the PEM text of a server's own certificate.
func authority(server *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

func TestAnAuthorityOfOnesOwn(t *testing.T) {
	server := httptest.NewUnstartedServer(notifytest.Status(200))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0) // it tells of each handshake that a client ends
	server.StartTLS()
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")

	s := to(secret(server.URL))
	wantWhy(t, s, "the receiver's certificate is not trusted: its authority is not known here (GESTOR_CA_FILE")
	s.config.CAFile = file
	wantWhy(t, s, "read GESTOR_CA_FILE: open "+file)
	writeFile(t, file, "no certificate")
	wantWhy(t, s, "GESTOR_CA_FILE holds no certificate")
	writeFile(t, file, authority(server)) // read before each call
	wantWhy(t, s, "")

	// The certificate is for 127.0.0.1 and example.com.
	s = to(strings.Replace(secret(server.URL), "127.0.0.1", "localhost", 1))
	s.config.CAFile = file
	wantWhy(t, s, "the receiver's certificate is not trusted: it is for another name")
}

func TestTheProxyIsAskedAndNoProxyLeavesItOut(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	writeFile(t, file, authority(behindProxy))
	var dialled []string
	send := func(address string) string {
		s := to(address)
		s.config.CAFile = file
		s.config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			dialled = append(dialled, address)
			if address == "direct.example.com:443" {
				address = behindProxy.Listener.Addr().String()
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		}
		return s.why(t)
	}

	proxy, err := url.Parse(os.Getenv("HTTPS_PROXY"))
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"https://hook.example.com/s3cret":   proxy.Host,
		"https://direct.example.com/s3cret": "direct.example.com:443",
	} {
		dialled = nil
		if why := send(address); why != "" || !slices.Equal(dialled, []string{want}) {
			t.Errorf("%s: %q, connected to %v, want %s", address, why, dialled, want)
		}
	}
}

// The whole of it, over a real connection.
func TestANoticeReachesAReceiver(t *testing.T) {
	bodies := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- string(body)
	}))
	defer server.Close()

	s := to(server.URL)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	s.Send(notice(1))
	want := `{"text":"preview-1 will be stopped","host":"h","rule":"stale","name":"preview-1","step":"warn","action_id":"1"}`
	if got := <-bodies; got != want {
		t.Errorf("sent %s", got)
	}
	<-s.Changed()
	if got := s.Delivered(); !slices.Equal(got, []string{"1"}) {
		t.Errorf("delivered %v", got)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestWithoutAnAddressNobodyIsCalled(t *testing.T) {
	s := New(Config{URL: func() (string, error) { return "", errNoURL }})
	wantWhy(t, s, "GESTOR_NOTIFY_URL is not an address")
	wantWhy(t, to("http://\x7fs3cret"), "GESTOR_NOTIFY_URL is not an address")
}
