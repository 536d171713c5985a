package web_test

import (
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"gestor.local/contract"
)

// hostile values of parameters, path segments and headers.
var hostile = []string{
	"", "0", "1", "-1", "99999999999999999999", "1e9", "15m", "7d", "-5m", "2026-11-23T12:00:00Z", "1795435200", "host",
	"container,action", "asc", "desc", "csv", "ndjson", "json", "abab", "ab", "../../etc/passwd", "\x00", "\xff", "'\"<script>",
	"%", "a=b&c=d", strings.Repeat("x", 5000), "memory.png", "cpu", "avg,max", "p99", "cpu_millicores", "class", "1m", "AAAA", "*",
}

// Requests made from the contract itself, with wrong values in every place, never get an answer outside the contract.
func TestNoAnswerIsOutsideTheContract(t *testing.T) {
	a := newAPI(t)
	a.post("/v1/records", systemLine(1, "")+bodyLine(t, 2, start, contract.ContainerBody{Subject: contract.Subject{Container: strings.Repeat("ab", 32)}, Measured: true}))
	doc, err := openapi3.NewLoader().LoadFromFile("../../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	pick := func() string { return hostile[rng.IntN(len(hostile))] }
	asked := 0
	paths := doc.Paths.Map()
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		operations := paths[path].Operations()
		for _, method := range slices.Sorted(maps.Keys(operations)) {
			operation := operations[method]
			if path == contract.PathTail || path == "/graficar" || path == contract.PathCharts && method == "POST" {
				continue // a stream; files
			}
			for range 40 {
				target, query, header := path, url.Values{}, []string{"Content-Type", contract.MediaJSON}
				for _, ref := range operation.Parameters {
					switch p := ref.Value; {
					case p.In == "path":
						target = strings.ReplaceAll(target, "{"+p.Name+"}", url.PathEscape(pick()))
					case rng.IntN(3) > 0:
					case p.In == "query":
						query.Set(p.Name, pick())
					case p.In == "header" && p.Name != "Content-Encoding":
						header = append(header, p.Name, strings.Map(printable, pick()))
					}
				}
				body := strings.NewReader(systemLine(1+rng.IntN(5), ""))
				w := a.do(method, target+"?"+query.Encode(), body, header...)
				if w.Code >= 500 {
					t.Errorf("%s %s?%s: %d %s", method, target, query.Encode(), w.Code, w.Body)
				}
				asked++
			}
		}
	}
	if asked < 500 {
		t.Errorf("only %d requests were made", asked)
	}
}

func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return '?'
	}
	return r
}
