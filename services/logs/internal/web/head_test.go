package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// HEAD has the status and the headers of GET, no body, and ends also where GET goes on.
func TestHeadIsGetWithoutTheBody(t *testing.T) {
	a := newAPI(t)
	a.post("/v1/records", systemLine(1, ""))
	server := httptest.NewServer(a.handler)
	defer server.Close()
	for target, want := range map[string]int{
		"/v1/records": 200, "/v1/records/1": 200, "/v1/records/7": 404, "/healthz": 200, "/openapi.json": 200, "/": 200,
		"/v1/records?format=ndjson": 200, "/v1/tail?since=2020-01-01T00:00:00Z": 200, "/logs": 405, "/graficar": 405,
	} {
		res, err := http.Head(server.URL + target)
		if err != nil {
			t.Errorf("%s: %v", target, err)
			continue
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != want || len(body) > 0 || err != nil {
			t.Errorf("%s: %d with %d bytes, %v; want %d", target, res.StatusCode, len(body), err, want)
		}
	}
	got := a.get("/v1/records")
	req := httptest.NewRequest("HEAD", "/v1/records", nil)
	req.Host = "127.0.0.1"
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, req)
	if w.Body.Len() > 0 || w.Result().ContentLength != int64(got.Body.Len()) || w.Header().Get("ETag") != got.Header().Get("ETag") {
		t.Errorf("%d bytes, length %d, ETag %s; GET has %d, %s", w.Body.Len(), w.Result().ContentLength, w.Header().Get("ETag"),
			got.Body.Len(), got.Header().Get("ETag"))
	}
}
