package notify

import (
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A connection shows most of what a call would fail of, and nobody is called.
func TestReachSaysWhatKeepsCallsBack(t *testing.T) {
	called := false
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true })
	plain, encrypted := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	defer plain.Close()
	defer encrypted.Close()

	authority := filepath.Join(t.TempDir(), "authority.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: encrypted.Certificate().Raw})
	if err := os.WriteFile(authority, text, 0o600); err != nil {
		t.Fatal(err)
	}

	silent, err := net.Listen("tcp", "127.0.0.1:0") // it takes connections, and its port is then free again
	if err != nil {
		t.Fatal(err)
	}
	silent.Close()

	for name, test := range map[string]struct{ address, authority, want string }{
		"plain":            {plain.URL, "", ""},
		"trusted":          {encrypted.URL, authority, ""},
		"not trusted":      {encrypted.URL, "", "the receiver's certificate is not trusted: its authority is not known here (GESTOR_CA_FILE"},
		"no authorities":   {encrypted.URL, "/nonexistent", "read GESTOR_CA_FILE: open /nonexistent"},
		"no TLS":           {strings.Replace(plain.URL, "http:", "https:", 1), "", "the receiver does not speak TLS: is its address http:// instead?"},
		"nobody":           {"http://" + silent.Addr().String(), "", "the receiver refuses the connection"},
		"no name":          {"http://hook.test.invalid", "", "the name of the receiver is not known here: the manager needs a network with a way out"},
		"behind the proxy": {"https://behind.example.com", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := Config{URL: func() (string, error) { return secret(test.address), nil }, CAFile: test.authority}
			got := c.Reach(t.Context())
			if !strings.HasPrefix(got, test.want) || (got == "") != (test.want == "") {
				t.Errorf("%q, want %q", got, test.want)
			}
			for _, part := range []string{"s3cret", "p4ssword", "someb0dy", "127.0.0.1", "example.com", "hook.test"} {
				if strings.Contains(got, part) {
					t.Errorf("%q tells %q of the address", got, part)
				}
			}
		})
	}
	if called {
		t.Error("somebody was called")
	}

	c := Config{URL: func() (string, error) { return readURL("/nonexistent") }}
	if got := c.Reach(t.Context()); !strings.HasPrefix(got, "read GESTOR_NOTIFY_URL_FILE: ") {
		t.Errorf("%q", got)
	}
}

// What cannot be used at all is found before the first call.
func TestCheckFindsWhatCannotBeUsed(t *testing.T) {
	good := func() (string, error) { return "https://hook.test/s3cret", nil }
	for name, test := range map[string]struct {
		config Config
		want   string
	}{
		"good":           {Config{URL: good}, ""},
		"no address":     {Config{URL: func() (string, error) { return readURL("/nonexistent") }}, "read GESTOR_NOTIFY_URL_FILE: "},
		"no authorities": {Config{URL: good, CAFile: "/nonexistent"}, "read GESTOR_CA_FILE: "},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.config.Check()
			if (err == nil) != (test.want == "") || err != nil && !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}
