package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	os.Setenv("NO_PROXY", "")
	os.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // nobody listens there; read once, by the first request of the process
	os.Exit(m.Run())
}

func TestTheRunningGeneratorIsNotAskedThroughAProxy(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	// An address that stands for this machine, and that a client asks through its proxy if it asks through any: Go leaves
	// out the loopback addresses by itself.
	url := strings.Replace(server.URL, "127.0.0.1", "0.0.0.0", 1)

	if _, err := get(t.Context(), url+"/healthz"); err != nil {
		t.Error(err)
	}
}
