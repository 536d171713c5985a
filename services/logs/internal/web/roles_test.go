package web_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gestor.local/contract"

	"gestor.local/logs/internal/store"
	"gestor.local/logs/internal/web"
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
			a := newAPI(t, func(d *web.Deps, _ *store.Config) { d.SuiteToken, d.WriteToken, d.ReadToken = c.suite, c.write, c.read })
			var header []string
			if c.token != "" {
				header = []string{"Authorization", "Bearer " + c.token}
			}
			// One record in the suite's name is enough to refuse them all.
			body := systemLine(1, "") + strings.Replace(systemLine(2, ""), `"producer":"p"`, `"producer":"`+c.producer+`"`, 1)
			code, got := a.post("/v1/records", body, header...)
			if code != c.want || code == 200 && got.Accepted != 2 {
				t.Errorf("%d %+v, want %d", code, got, c.want)
			}
			if c.want != 200 && a.store.Head() != 0 {
				t.Errorf("something was stored: head %d", a.store.Head())
			}
		})
	}

	a := newAPI(t, func(d *web.Deps, _ *store.Config) { d.SuiteToken, d.WriteToken, d.ReadToken = suite, write, read })
	for _, c := range []struct {
		method, target string
		want           int
	}{{"GET", contract.PathRecords, 200}, {"POST", contract.PathCharts, 200}, {"GET", contract.PathMetrics, 200}} {
		if w := a.do(c.method, c.target, nil, "Authorization", "Bearer inner"); w.Code != c.want {
			t.Errorf("%s %s with the suite's token: %d, want %d", c.method, c.target, w.Code, c.want)
		}
	}
}
