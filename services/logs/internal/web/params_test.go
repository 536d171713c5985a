package web_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"gestor.local/contract"
)

// A query string is read whole or refused with the parameter's name, at every path of the contract.
func TestEveryPathRefusesWhatItCannotRead(t *testing.T) {
	a := newAPI(t)
	doc, err := openapi3.NewLoader().LoadFromFile("../../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("{seq}", "1", "{id}", "abcdef", "{file}", "population.json", "{name}", "population")
	for path, item := range doc.Paths.Map() {
		target := fill.Replace(path)
		if strings.HasPrefix(target, "/assets/") || target == "/favicon.ico" {
			continue // a file is the same whatever is asked of it
		}
		for method := range item.Operations() {
			for query, field := range map[string]string{
				"kind=system;limit=1": "kind", "kind=system%": "kind", "kind=": "kind", "nope": "nope", "nope=1": "nope", "class=zzz;range=1h": "class",
			} {
				w := a.do(method, target+"?"+query, nil, "Content-Type", contract.MediaJSON)
				if w.Code != http.StatusBadRequest || !names(w.Body.Bytes(), field) {
					t.Errorf("%s %s?%s: %d %s, want 400 with %s", method, target, query, w.Code, w.Body, field)
				}
			}
		}
	}
}

// names says whether a problem's list of errors names a field.
func names(body []byte, field string) bool {
	var p contract.ErrorBody
	if json.Unmarshal(body, &p) != nil {
		return false
	}
	for _, one := range p.Errors {
		if one.Field == field {
			return true
		}
	}
	return false
}

func TestNothingIsSelectedByAMistake(t *testing.T) {
	a := newAPI(t)
	for target, field := range map[string]string{
		"/v1/records?container=":                       "container",
		"/v1/records?host=":                            "host",
		"/v1/records?kind=host,":                       "kind",
		"/v1/records?fields=ts,ts":                     "fields",
		"/v1/records?fields=ts,nope":                   "fields",
		"/v1/records?format=csv&fields=Ts":             "fields",
		"/v1/records?limit=1&limit=2":                  "limit",
		"/v1/decisions?reason=":                        "reason",
		"/v1/decisions?fields=verdict,nope":            "fields",
		"/v1/containers?sort=":                         "sort",
		"/v1/stats?metric=ram_kb&fn=avg,,max":          "fn",
		"/v1/tail?kind=":                               "kind",
		"/v1/charts/population.json?range=1h;class=zz": "range",
		"/graficar?theme=":                             "theme",
	} {
		if w := a.get(target); w.Code != http.StatusBadRequest || !names(w.Body.Bytes(), field) {
			t.Errorf("%s: %d %s, want 400 with %s", target, w.Code, w.Body, field)
		}
	}
}
