package web_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gestor.local/contract"

	"gestor.local/logs/internal/store"
	"gestor.local/logs/internal/web"
)

// A method that a client makes up is no series of its own.
func TestInventedMethodsAreOneSeries(t *testing.T) {
	a := newAPI(t)
	for i := range 3 {
		a.do(fmt.Sprintf("A%d", i), "/v1/records", nil)
	}
	metrics := a.get("/metrics").Body.String()
	if strings.Contains(metrics, `method="A`) || !strings.Contains(metrics, `gestor_logs_request_seconds_count{method="other",path="none",status="405"} 3`) {
		t.Errorf("%s", metrics)
	}
}

// What another site makes a browser send is refused where it would store or write; other clients send no such headers.
func TestOtherSitesDoNotStore(t *testing.T) {
	a := newAPI(t)
	for _, c := range []struct {
		method, target, header, value string
		want                          int
	}{
		{"POST", "/v1/records", "Sec-Fetch-Site", "cross-site", 403},
		{"POST", "/v1/records", "Sec-Fetch-Site", "same-site", 403},
		{"POST", "/v1/records", "Origin", "http://evil.example", 403},
		{"POST", "/v1/records", "Origin", "http://127.0.0.1:8080", 200},
		{"POST", "/v1/records", "Sec-Fetch-Site", "same-origin", 200},
		{"POST", "/v1/records", "User-Agent", "curl/8", 200},
		{"POST", "/logs", "Sec-Fetch-Site", "cross-site", 403},
		{"POST", "/v1/charts", "Sec-Fetch-Site", "cross-site", 403},
		{"GET", "/graficar", "Sec-Fetch-Site", "cross-site", 403},
		{"HEAD", "/graficar", "Sec-Fetch-Site", "none", 405},
		{"GET", "/v1/records", "Sec-Fetch-Site", "cross-site", 200}, // a link; it cannot be read from there
		{"GET", "/", "Sec-Fetch-Site", "none", 200},
	} {
		w := a.do(c.method, c.target, strings.NewReader(systemLine(1, "")), "Content-Type", contract.MediaNDJSON, c.header, c.value)
		if w.Code != c.want {
			t.Errorf("%s %s with %s: %s: %d, want %d", c.method, c.target, c.header, c.value, w.Code, c.want)
		}
	}
}

// A site that gives its name this service's address is not answered.
func TestForeignNamesAreRefused(t *testing.T) {
	named := func(hosts ...string) *api {
		return newAPI(t, func(d *web.Deps, _ *store.Config) { d.Hosts = hosts })
	}
	plain, more, anyName := named(), named("gestor.example"), named("*")
	token := newAPI(t, func(d *web.Deps, _ *store.Config) { d.ReadToken = "/nowhere" })
	for _, c := range []struct {
		of     *api
		host   string
		target string
		want   int
	}{
		{plain, "127.0.0.1:8080", "/v1/records", 200},
		{plain, "192.168.1.7", "/v1/records", 200},
		{plain, "[::1]:8080", "/v1/records", 200},
		{plain, "[::1]", "/v1/records", 200},
		{plain, "localhost:8080", "/v1/records", 200},
		{plain, "LOCALHOST.", "/v1/records", 200},
		{plain, "gestor.localhost", "/v1/records", 200},
		{plain, "logs:8080", "/metrics", 200},
		{plain, "", "/v1/records", 200}, // HTTP/1.0
		{plain, "evil.example:8080", "/v1/records", 421},
		{plain, "evil.example", "/healthz", 421},
		{plain, "evil.example", "/version", 421},
		{plain, "evil.example", "/", 421},
		{plain, "127.0.0.1.evil.example", "/v1/records", 421},
		{more, "gestor.example:80", "/v1/records", 200},
		{more, "evil.example", "/v1/records", 421},
		{anyName, "evil.example", "/v1/records", 200},
		{token, "evil.example", "/v1/records", 401},
		{token, "evil.example", "/healthz", 200},
	} {
		w := c.of.get(c.target, "Host", c.host)
		if w.Code != c.want {
			t.Errorf("%s of %q: %d, want %d", c.target, c.host, w.Code, c.want)
		}
		if w.Code == 421 && !strings.Contains(w.Body.String(), "GESTOR_HOSTS") {
			t.Errorf("no way out: %s", w.Body)
		}
	}
}

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
