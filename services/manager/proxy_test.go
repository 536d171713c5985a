package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gestor.local/contract"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/ops"
)

// unspecified is the address of a server on this machine that a client asks through its proxy if it asks through any: Go
// leaves out the loopback addresses by itself.
func unspecified(url string) string { return strings.Replace(url, "127.0.0.1", "0.0.0.0", 1) }

// TestMain has set a proxy that does not answer.
func TestNothingInsideOfTheSuiteIsAskedThroughAProxy(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(govern.ReloadResult{})
	}))
	defer server.Close()
	url := unspecified(server.URL)
	components := &components{cfg: config{LogsURL: url}}

	for name, request := range map[string]func() error{
		"the log service at the start, and the health check": func() error { return get(context.Background(), url+contract.PathReady) },
		"the charts": components.requestCharts,
		"the reload": func() error { _, err := postReload(context.Background(), url+ops.PathReload); return err },
	} {
		if err := request(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
