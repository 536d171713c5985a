package httpapi

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"gestor.local/contract"

	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/store"
	"gestor.local/wal/disk/disktest"
)

// Who sends in the name of the suite's own services needs the suite's token; nobody else does, and it opens everything.
func TestOnlyTheSuiteSendsInItsName(t *testing.T) {
	dir := t.TempDir()
	file := func(name, token string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	suite, write, read := file("suite", "inner"), file("write", "writer"), file("read", "reader")

	for _, c := range []struct {
		name, suite, write, read string
		producer, token          string
		want                     int
	}{
		{"no tokens at all", "", "", "", "manager", "", 200},
		{"a stranger as the manager", suite, "", "", "manager", "", 401},
		{"a stranger as the generator", suite, "", "", "generator", "", 401},
		{"a stranger as the log service", suite, "", "", "logs", "", 401},
		{"with a wrong token", suite, "", "", "manager", "guess", 403},
		{"the manager", suite, "", "", "manager", "inner", 200},
		{"a stranger as himself", suite, "", "", "me", "", 200},
		{"a stranger with any token", suite, "", "", "me", "guess", 200},
		{"a name in another spelling", suite, "", "", `\u006danager`, "", 401},
		{"a writer as the manager", suite, write, "", "manager", "writer", 403},
		{"a writer as himself", suite, write, "", "me", "writer", 200},
		{"the manager where writing takes a token", suite, write, "", "manager", "inner", 200},
		{"a file that is not there holds no token", dir + "/none", "", "", "manager", "inner", 403},
		{"an empty file holds no token", file("empty", ""), "", "", "manager", "", 401},
		{"a writer as the manager where the suite has no token", "", write, "", "manager", "writer", 200},
		{"a reader as the manager", suite, "", read, "manager", "reader", 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, s := guardedBy(t, c.suite, c.write, c.read)
			// One record in the suite's name is enough to refuse them all.
			w := request(h, http.MethodPost, contract.PathRecords, c.token, note(1, "p")+"\n"+strings.Replace(note(2, "p"), `"producer":"p"`, `"producer":"`+c.producer+`"`, 1))
			if w.Code != c.want || c.want != 200 && s.Head() != 0 || c.want == 200 && s.Head() != 2 {
				t.Errorf("%d %s with %d stored, want %d", w.Code, w.Body, s.Head(), c.want)
			}
			if challenged := w.Header().Get("WWW-Authenticate") != ""; challenged != (c.want == 401) {
				t.Errorf("%d challenges: %t", w.Code, challenged)
			}
		})
	}

	h, _ := guardedBy(t, suite, write, read)
	for _, c := range []struct{ method, target, body string }{
		{http.MethodGet, contract.PathRecords, ""}, {http.MethodPost, contract.PathRecords, note(1, "me")}, {http.MethodGet, contract.PathMetrics, ""},
	} {
		if w := request(h, c.method, c.target, "inner", c.body); w.Code != 200 {
			t.Errorf("%s %s with the suite's token: %d %s", c.method, c.target, w.Code, w.Body)
		}
	}
}

// serve is the API over a store.
func serve(d Deps) http.Handler {
	gin.SetMode(gin.TestMode)
	engine := gin.New()
	engine.Use(d.Auth.Middleware)
	d.Query, d.Metrics = query.New(d.Store), prometheus.NewRegistry()
	New(d).Register(engine)
	return engine
}

// guardedBy is the API over an empty store.
func guardedBy(t *testing.T, suite, write, read string) (http.Handler, *store.Store) {
	t.Helper()
	s, err := store.Open(store.Config{Dir: "data", FS: disktest.NewMem(), MinFree: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return serve(Deps{Store: s, Auth: TokenAuth{Suite: suite, Write: write, Read: read}}), s
}

func request(h http.Handler, method, target, token, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "localhost"
	r.Header.Set("Content-Type", contract.MediaNDJSON)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
