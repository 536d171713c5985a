package notify

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// behindProxy is a receiver that only the proxy of these tests reaches: it connects there whatever it is asked for. Its
// certificate is for example.com and all below it.
var behindProxy *httptest.Server //nolint:gochecknoglobals // of the process, as the environment is

// TestMain sets a proxy, which the first call of the process reads. Loopback addresses are never asked through it.
func TestMain(m *testing.M) {
	behindProxy = httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	proxy := httptest.NewServer(http.HandlerFunc(connect))
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "https_proxy", "no_proxy"} {
		os.Unsetenv(name)
	}
	os.Setenv("HTTPS_PROXY", proxy.URL)
	os.Setenv("NO_PROXY", "direct.example.com")

	code := m.Run()
	proxy.Close()
	behindProxy.Close()
	if err := goleak.Find(); err != nil && code == 0 {
		os.Stderr.WriteString(err.Error() + "\n")
		code = 1
	}
	os.Exit(code)
}

// connect is the proxy: it connects to behindProxy, but refuses what begins with "refused".
func connect(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect || strings.HasPrefix(r.Host, "refused") {
		http.Error(w, "not to "+r.Host, http.StatusProxyAuthRequired)
		return
	}
	out, err := net.Dial("tcp", behindProxy.Listener.Addr().String())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer out.Close()

	in, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer in.Close()
	_, _ = io.WriteString(in, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() {
		_, _ = io.Copy(out, in)
		_ = out.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(in, out)
}
