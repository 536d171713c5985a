package ship

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gestor.local/ship/shiptest"
)

// unspecified is the address of a server on this machine that a client asks through its proxy if it asks through any: Go
// leaves out the loopback addresses by itself.
func unspecified(url string) string { return strings.Replace(url, "127.0.0.1", "0.0.0.0", 1) }

func TestRecordsDoNotGoThroughAProxy(t *testing.T) {
	service := &shiptest.Service{}
	server := httptest.NewServer(service)
	defer server.Close()
	s := open(t, t.TempDir(), service, func(c *Config) { c.Client, c.URL = nil, unspecified(server.URL) })
	if err := s.Append(launch(1)); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // Flush tries until then
	defer cancel()
	if err := s.Flush(ctx); err != nil {
		t.Fatalf("%v: %s", err, s.Stats().LastError)
	}
	if n := len(service.Records()); n != 1 {
		t.Errorf("%d records arrived", n)
	}
}
