package web_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"gestor.local/contract"

	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/store"
	"gestor.local/logs/internal/web"
)

// api is the whole service without its socket. Every answer is checked against openapi.yaml.
type api struct {
	t       *testing.T
	handler http.Handler
	store   *store.Store
	router  routers.Router
	closing chan struct{}
	deps    web.Deps
}

// restart is the service anew over the same store: what it kept in memory is gone.
func (a *api) restart() {
	a.deps.Metrics = prometheus.NewRegistry()
	a.handler = web.New(a.deps)
}

func loadContract(t testing.TB) routers.Router {
	t.Helper()
	for _, media := range []string{contract.MediaNDJSON, contract.MediaCSV, "text/html", "image/png", "text/event-stream"} {
		openapi3filter.RegisterBodyDecoder(media, openapi3filter.PlainBodyDecoder)
	}

	doc, err := openapi3.NewLoader().LoadFromFile("../../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatalf("openapi.yaml: %v", err)
	}
	doc.Servers = nil

	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return router
}

func newAPI(t *testing.T, change ...func(*web.Deps, *store.Config)) *api {
	t.Helper()
	cfg := store.Config{Dir: t.TempDir(), MinFree: 1, Host: "test"}
	d := web.Deps{Log: zerolog.Nop(), Metrics: prometheus.NewRegistry(), Version: "test", OpenAPI: []byte(`{}`)}
	a := &api{t: t, router: loadContract(t), closing: make(chan struct{})}
	d.Closing = a.closing
	for _, c := range change {
		c(&d, &cfg)
	}

	s, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })

	d.Store, d.Query, d.DataDir = s, query.New(s), cfg.Dir
	a.store, a.deps = s, d
	a.restart()
	return a
}

// do sends a request and validates the answer.
func (a *api) do(method, target string, body io.Reader, header ...string) *httptest.ResponseRecorder {
	a.t.Helper()
	req := httptest.NewRequest(method, target, body)
	req.Host = "127.0.0.1:8080"

	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
			continue
		}
		req.Header.Set(header[i], header[i+1])
	}

	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, req)
	a.validate(req, w)
	return w
}

func (a *api) validate(req *http.Request, w *httptest.ResponseRecorder) {
	a.t.Helper()
	route, params, err := a.router.FindRoute(req)
	if err != nil {
		if w.Code != http.StatusNotFound && w.Code != http.StatusMethodNotAllowed {
			a.t.Errorf("%s %s answered %d and is not in openapi.yaml", req.Method, req.URL, w.Code)
		}
		return
	}

	input := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route}
	err = openapi3filter.ValidateResponse(a.t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: w.Code, Header: w.Header(),
		Body:    io.NopCloser(bytes.NewReader(unpacked(a.t, w))),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	})
	if err != nil {
		a.t.Errorf("%s %s: the answer is outside the contract: %v\n%s", req.Method, req.URL, err, w.Body)
	}
}

// unpacked is an answer's body as the client reads it.
func unpacked(t testing.TB, w *httptest.ResponseRecorder) []byte {
	t.Helper()
	if w.Header().Get("Content-Encoding") != "gzip" || w.Body.Len() == 0 {
		return w.Body.Bytes()
	}
	z, err := gzip.NewReader(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func (a *api) get(target string, header ...string) *httptest.ResponseRecorder {
	a.t.Helper()
	return a.do("GET", target, nil, header...)
}

// post stores NDJSON and returns the verdict.
func (a *api) post(target, body string, header ...string) (int, contract.IngestResult) {
	a.t.Helper()
	w := a.do("POST", target, strings.NewReader(body), append([]string{"Content-Type", contract.MediaNDJSON}, header...)...)
	var out contract.IngestResult
	if w.Code == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			a.t.Fatal(err)
		}
	}
	return w.Code, out
}

var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// systemLine is a system record with a number; more is added to the object.
func systemLine(pseq int, more string) string {
	return fmt.Sprintf(`{"v":1,"ts":%q,"kind":"system","host":"h","boot":"b","producer":"p","pseq":%d,"event":"start","level":"info","message":"m%d"%s}`+"\n",
		start.Add(time.Duration(pseq)*time.Second).Format(time.RFC3339), pseq, pseq, more)
}

// bodyLine is a record made of a contract body.
func bodyLine(t testing.TB, pseq int, at time.Time, body contract.Body) string {
	t.Helper()
	r := contract.NewRecord(at, uint64(pseq), contract.SourceProcfs, body)
	r.Host, r.Boot, r.Producer, r.PSeq = "h", "b", contract.ProducerManager, uint64(pseq)
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + "\n"
}

func page(t testing.TB, w *httptest.ResponseRecorder) (out struct {
	Records []contract.Record `json:"records"`
	Next    string            `json:"next"`
},
) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return out
}

func TestPostTellsEveryRecordsFate(t *testing.T) {
	a := newAPI(t)
	code, got := a.post("/v1/records", systemLine(1, "")+"{not json\n"+systemLine(2, "")+systemLine(1, "")+`{"v":1}`+"\n")
	if code != 200 || got.Accepted != 2 || got.Duplicates != 1 || !got.Durable || got.FirstSeq != 1 || got.LastSeq != 2 {
		t.Fatalf("%d %+v", code, got)
	}
	if len(got.Rejected) != 2 || got.Rejected[0].Line != 2 || got.Rejected[1].Line != 5 {
		t.Errorf("rejected %+v", got.Rejected)
	}
	if code, _ := a.post("/v1/records?atomic=1", systemLine(3, "")+"{not json\n"); code != 422 {
		t.Errorf("atomic with a bad line: %d", code)
	}
	if got := page(t, a.get("/v1/records")); len(got.Records) != 2 {
		t.Errorf("atomic stored something: %d", len(got.Records))
	}
	array := "[" + strings.TrimSpace(systemLine(4, "")) + "," + strings.TrimSpace(systemLine(5, "")) + "]"
	w := a.do("POST", "/v1/records", strings.NewReader(array), "Content-Type", "application/json; charset=utf-8")
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"accepted":2`) {
		t.Errorf("array: %d %s", w.Code, w.Body)
	}
}

// A sender has to know which of its records were there before: one that it never sent is a number that somebody else used.
func TestPostNamesTheDuplicates(t *testing.T) {
	a := newAPI(t)
	a.post("/v1/records", systemLine(2, "")+systemLine(3, "")+systemLine(5, "")+systemLine(6, ""))
	bad := "{not json\n"
	for _, tt := range []struct {
		name, body string
		want       [][2]int
	}{
		{"none", systemLine(10, ""), nil},
		{"all", systemLine(2, "") + systemLine(3, ""), [][2]int{{1, 2}}},
		{"between new ones", systemLine(11, "") + systemLine(2, "") + systemLine(3, "") + systemLine(12, "") + systemLine(5, ""), [][2]int{{2, 3}, {5, 5}}},
		{"around a bad line", systemLine(2, "") + bad + systemLine(3, "") + "\n" + systemLine(5, ""), [][2]int{{1, 1}, {3, 4}}},
		{"twice in one body", systemLine(13, "") + systemLine(13, ""), [][2]int{{2, 2}}},
	} {
		_, got := a.post("/v1/records", tt.body)
		if diff := cmp.Diff(tt.want, got.DuplicateRanges); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	var many strings.Builder
	for i := range 1001 {
		many.WriteString(systemLine(2, "") + systemLine(1000+i, ""))
	}
	if _, got := a.post("/v1/records", many.String()); got.Duplicates != 1001 || got.DuplicateRanges != nil {
		t.Errorf("%d duplicates in %d rows, want the number alone", got.Duplicates, len(got.DuplicateRanges))
	}
}

func TestPostRefuses(t *testing.T) {
	a := newAPI(t)
	big := systemLine(1, `,"x":"`+strings.Repeat("x", contract.MaxRecordBytes)+`"`)
	for name, c := range map[string]struct {
		body, media, encoding string
		want                  int
	}{
		"form":               {systemLine(1, ""), "application/x-www-form-urlencoded", "", 415},
		"multipart":          {"x", "multipart/form-data; boundary=x", "", 415},
		"unknown encoding":   {systemLine(1, ""), contract.MediaJSON, "br", 415},
		"not gzip":           {systemLine(1, ""), contract.MediaJSON, "gzip", 400},
		"empty":              {"", contract.MediaJSON, "", 400},
		"array that is open": {"[" + systemLine(1, ""), contract.MediaJSON, "", 400},
		"after the array":    {"[" + systemLine(1, "") + "] 7", contract.MediaJSON, "", 400},
		"number":             {"7", contract.MediaJSON, "", 422},
		"deep":               {systemLine(1, `,"x":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)), contract.MediaJSON, "", 422},
		"not UTF-8":          {systemLine(1, ",\"x\":\"\xff\""), contract.MediaJSON, "", 422},
		"duplicate key":      {systemLine(1, `,"host":"other"`), contract.MediaJSON, "", 422},
		"record too large":   {big, contract.MediaJSON, "", 422},
		"body too large":     {strings.Repeat(systemLine(1, ""), 70_000), contract.MediaNDJSON, "", 413},
	} {
		t.Run(name, func(t *testing.T) {
			header := []string{"Content-Type", c.media}
			if c.encoding != "" {
				header = append(header, "Content-Encoding", c.encoding)
			}
			if w := a.do("POST", "/v1/records", strings.NewReader(c.body), header...); w.Code != c.want {
				t.Errorf("%d, want %d: %.300s", w.Code, c.want, w.Body)
			}
		})
	}
	if a.store.Head() != 0 {
		t.Errorf("something was stored: head %d", a.store.Head())
	}
}

func TestGzipBombIsRefused(t *testing.T) {
	a := newAPI(t)
	bomb := bytes.Repeat(zipped(t, bytes.Repeat([]byte(" "), 1<<20)), 200) // one file of 200 members
	if len(bomb) > contract.MaxBodyBytes {
		t.Fatalf("the bomb has %d bytes", len(bomb))
	}
	w := a.do("POST", "/v1/records", bytes.NewReader(bomb), "Content-Type", contract.MediaJSON, "Content-Encoding", "gzip")
	if w.Code != 413 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w = a.do("POST", "/v1/records", bytes.NewReader(zipped(t, []byte(systemLine(1, "")))), "Content-Type", contract.MediaNDJSON, "Content-Encoding", "GZIP")
	if w.Code != 200 {
		t.Errorf("honest gzip: %d %s", w.Code, w.Body)
	}
}

func TestFilters(t *testing.T) {
	a := newAPI(t)
	sub := contract.Subject{Container: strings.Repeat("ab", 32), Name: "one", Image: "gestor/high-cpu:latest", Class: contract.ClassHigh}
	other := contract.Subject{Container: strings.Repeat("cd", 32), Name: "tw\"o", Image: "gestor/low-idle", Class: contract.ClassLow}
	body := bodyLine(t, 1, start, contract.HostBody{CPUs: 2}) +
		bodyLine(t, 2, start.Add(time.Second), contract.ContainerBody{Subject: sub, Measured: true, Measures: contract.Measures{CPUMillicores: 900}}) +
		bodyLine(t, 3, start.Add(2*time.Second), contract.ContainerBody{Subject: other, Measured: true}) +
		bodyLine(t, 4, start.Add(3*time.Second), contract.DecisionBody{Subject: sub, Verdict: "remove", Reason: "over_quota", Text: "t"}) +
		bodyLine(t, 5, start.Add(4*time.Second), contract.DecisionBody{Subject: other, Verdict: "keep", Reason: "within_quota", Text: "t"}) +
		bodyLine(t, 6, start.Add(5*time.Second), contract.ActionBody{Subject: sub, ActionID: "1", Action: "remove", Phase: "outcome", Outcome: "done"})

	if code, got := a.post("/v1/records", body); code != 200 || got.Accepted != 6 {
		t.Fatalf("%d %+v", code, got)
	}

	for query, want := range map[string]string{
		"":                                "2 3 1 4 5 6",
		"kind=host":                       "1",
		"kind=host,action":                "1 6",
		"kind=host&kind=system":           "1",
		"class=high":                      "2 4 6",
		"image=high-cpu":                  "2 4 6",
		"image=gestor/low-idle":           "3 5",
		"container=abab":                  "2 4 6",
		"action=remove":                   "6",
		"host=other":                      "",
		"q=tw%5C%22o":                     "3 5",
		"since=2026-11-23T12:00:03Z":      "4 5 6",
		"until=2026-11-23T12:00:01Z":      "1",
		"since=1795435202&kind=container": "3",
	} {
		t.Run(query, func(t *testing.T) {
			got := map[string]bool{}
			for _, r := range page(t, a.get("/v1/records?"+query)).Records {
				got[fmt.Sprint(r.PSeq)] = true
			}

			wanted := strings.Fields(want)
			if len(got) != len(wanted) {
				t.Errorf("got %v, want %v", got, wanted)
			}
			for _, p := range wanted {
				if !got[p] {
					t.Errorf("%s is missing: got %v", p, got)
				}
			}
		})
	}

	if got := page(t, a.get("/v1/decisions?verdict=remove")); len(got.Records) != 1 || got.Records[0].PSeq != 4 {
		t.Errorf("decisions: %+v", got)
	}

	for _, bad := range []string{"kinds=host", "kind=nonsense", "limit=0", "limit=x", "since=yesterday", "order=up", "container=ab", "cursor=zz", "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z"} {
		if w := a.get("/v1/records?" + bad); w.Code != 400 || !strings.Contains(w.Body.String(), `"errors"`) {
			t.Errorf("%s: %d %s", bad, w.Code, w.Body)
		}
	}

	if w := a.get("/v1/records?fields=pseq,host&kind=host"); !strings.Contains(w.Body.String(), `{"pseq":1,"host":"h"}`) {
		t.Errorf("fields: %s", w.Body)
	}
}

// Pages follow each other without a hole and without a repetition while records arrive, in both orders.
func TestCursorStaysRight(t *testing.T) {
	a := newAPI(t)
	next := 1
	add := func(n int) {
		var b strings.Builder
		for range n {
			b.WriteString(systemLine(next, ""))
			next++
		}
		if code, _ := a.post("/v1/records", b.String()); code != 200 {
			t.Fatal(code)
		}
	}

	add(50)

	for _, order := range []string{"asc", "desc"} {
		seen, cursor, last := map[uint64]bool{}, "", uint64(0)
		for pages := 0; ; pages++ {
			got := page(t, a.get("/v1/records?limit=7&order="+order+cursor))
			for _, r := range got.Records {
				if seen[r.Seq] {
					t.Fatalf("%s: %d twice", order, r.Seq)
				}
				if last != 0 && (r.Seq > last) != (order == "asc") {
					t.Fatalf("%s: %d after %d", order, r.Seq, last)
				}
				seen[r.Seq], last = true, r.Seq
			}

			if got.Next == "" {
				break
			}
			cursor = "&cursor=" + got.Next
			if pages < 5 {
				add(3)
			}
		}

		for seq := uint64(1); seq <= 50; seq++ {
			if !seen[seq] {
				t.Errorf("%s: %d is missing", order, seq)
			}
		}
	}

	first := page(t, a.get("/v1/records?limit=1"))
	if w := a.get("/v1/records?limit=1&kind=host&cursor=" + first.Next); w.Code != 400 {
		t.Errorf("cursor of another question: %d", w.Code)
	}
}

func TestETag(t *testing.T) {
	a := newAPI(t)
	a.post("/v1/records", systemLine(1, ""))
	for _, target := range []string{"/v1/records", "/v1/records/1", "/v1/stats?metric=population&since=1h", "/openapi.json"} {
		tag := a.get(target).Header().Get("ETag")
		if w := a.get(target, "If-None-Match", tag); tag == "" || w.Code != 304 || w.Body.Len() > 0 {
			t.Errorf("%s: %q, %d", target, tag, w.Code)
		}
	}
	tag := a.get("/v1/records").Header().Get("ETag")
	a.post("/v1/records", systemLine(2, ""))
	if w := a.get("/v1/records", "If-None-Match", tag); w.Code != 200 {
		t.Errorf("after a new record: %d", w.Code)
	}
}

func TestStreams(t *testing.T) {
	a := newAPI(t)
	a.post("/v1/records", systemLine(1, `,"details":{"a":1}`)+systemLine(2, "")+
		bodyLine(t, 3, start, contract.ContainerBody{Subject: contract.Subject{Container: "abcd", Name: "=cmd()"}}))
	w := a.get("/v1/records?order=asc", "Accept", contract.MediaNDJSON)
	if lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n"); len(lines) != 3 || w.Header().Get("Content-Type") != contract.MediaNDJSON {
		t.Errorf("%v", lines)
	}
	w = a.get("/v1/records?format=csv&fields=pseq,message,details,name&order=asc")
	want := "pseq,message,details,name\n3,,,'=cmd()\n1,m1,\"{\"\"a\"\":1}\",\n2,m2,,\n"
	if w.Body.String() != want {
		t.Errorf("csv\n%s\nwant\n%s", w.Body, want)
	}
}

func TestOneRecordLeadsOn(t *testing.T) {
	a := newAPI(t)
	id := strings.Repeat("ab", 32)
	a.post("/v1/records", bodyLine(t, 3, start, contract.ContainerBody{Subject: contract.Subject{Container: id}, Measured: true}))
	w := a.get("/v1/records/1")
	var got struct {
		Record contract.Record
		Links  map[string]string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Record.PSeq != 3 {
		t.Fatalf("%v %s", err, w.Body)
	}
	for name, link := range got.Links {
		if w := a.get(link); w.Code != 200 || !strings.Contains(w.Body.String(), id) {
			t.Errorf("%s %s: %d %s", name, link, w.Code, w.Body)
		}
	}
	for target, want := range map[string]int{"/v1/records/2": 404, "/v1/records/0": 400, "/v1/records/x": 400} {
		if w := a.get(target); w.Code != want {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
}

func TestContainersAndLife(t *testing.T) {
	a := newAPI(t)
	small := contract.Subject{Container: strings.Repeat("aa", 32), Name: "small", Class: contract.ClassLow}
	large := contract.Subject{Container: strings.Repeat("bb", 32), Name: "large", Class: contract.ClassHigh}
	var body string
	for i := range 4 {
		at := start.Add(time.Duration(i) * 10 * time.Second)
		body += bodyLine(t, 10*i+1, at, contract.ContainerBody{Subject: small, Measured: true, Measures: contract.Measures{CPUMillicores: 1, RAMKB: uint64(i)}})
		body += bodyLine(t, 10*i+2, at, contract.ContainerBody{Subject: large, Measured: true, Measures: contract.Measures{CPUMillicores: 100 * uint64(i), RAMKB: 7}})
	}
	body += bodyLine(t, 90, start.Add(time.Minute), contract.DecisionBody{Subject: large, Verdict: "remove", Reason: "over_quota"})
	body += bodyLine(t, 91, start.Add(time.Minute), contract.ActionBody{Subject: large, Action: "remove", Phase: "outcome", Outcome: "done", Reason: "over_quota"})
	a.post("/v1/records", body)
	var list struct {
		Total      int
		Containers []query.Container
	}
	if err := json.Unmarshal(a.get("/v1/containers?since="+url.QueryEscape(start.Format(time.RFC3339))).Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	if list.Total != 2 || list.Containers[0].Name != "large" || list.Containers[0].Mean.CPUMillicores != 150 ||
		list.Containers[0].Peak.CPUMillicores != 300 || list.Containers[0].Removed != "done" || list.Containers[1].Removed != "" {
		t.Errorf("%+v", list)
	}
	var life query.ContainerHistory
	if err := json.Unmarshal(a.get("/v1/containers/bbbb").Body.Bytes(), &life); err != nil {
		t.Fatal(err)
	}
	if life.Samples != 4 || len(life.Decisions) != 1 || len(life.Actions) != 1 || !life.LastSeen.Equal(start.Add(time.Minute)) {
		t.Errorf("%+v", life)
	}
	if w := a.get("/v1/containers/cccc"); w.Code != 404 {
		t.Errorf("unknown: %d", w.Code)
	}
}

// Roll-ups and the records themselves give the same numbers.
func TestStats(t *testing.T) {
	a := newAPI(t)
	var body string
	for i := range 120 {
		class, cpu := contract.ClassLow, uint64(i)
		if i%2 == 0 {
			class, cpu = contract.ClassHigh, uint64(1000+i)
		}
		body += bodyLine(t, i+1, start.Add(time.Duration(i)*time.Second), contract.ContainerBody{
			Subject: contract.Subject{Container: fmt.Sprintf("%064d", i%6), Class: class}, Owned: true, Measured: true,
			Measures: contract.Measures{CPUMillicores: cpu},
		})
	}
	a.post("/v1/records", body)
	ask := func(more string) string {
		return a.get("/v1/stats?metric=cpu_millicores&since=2026-11-23T12:00:00Z&until=2026-11-23T12:10:00Z" + more).Body.String()
	}
	want := `{"metric":"cpu_millicores","by":"class","step_s":60,"series":[` +
		`{"key":"high","points":[[1795435200,1029,1000,1058,30],[1795435260,1089,1060,1118,30]],"functions":["avg","min","max","count"]},` +
		`{"key":"low","points":[[1795435200,30,1,59,30],[1795435260,90,61,119,30]],"functions":["avg","min","max","count"]}]}` + "\n"
	if got := ask("&fn=avg,min,max,count&step=1m"); got != want {
		t.Errorf("roll-ups:\n%s\nwant\n%s", got, want)
	}
	got := ask("&fn=avg,min,max,count,p50&step=1m")
	if !strings.Contains(got, "[1795435200,1029,1000,1058,30,1030]") || !strings.Contains(got, "[1795435260,90,61,119,30,91]") {
		t.Errorf("records: %s", got)
	}
	if got := ask("&by=container&step=1m&fn=count"); strings.Count(got, `"key"`) != 6 {
		t.Errorf("by container: %s", got)
	}
	for _, bad := range []string{"&fn=median", "&step=0s", "&by=colour", "&fn=p50,p95"} {
		if w := a.get("/v1/stats?metric=cpu_millicores" + bad); w.Code != 400 {
			t.Errorf("%s: %d", bad, w.Code)
		}
	}
	if w := a.get("/v1/stats?metric=nonsense&fn=p50"); w.Code != 400 {
		t.Errorf("unknown metric: %d %s", w.Code, w.Body)
	}
}

func TestIdempotencyKey(t *testing.T) {
	a := newAPI(t)
	key := []string{"Content-Type", contract.MediaNDJSON, "Idempotency-Key", "k1"}
	first := a.do("POST", "/v1/records", strings.NewReader(systemLine(1, "")), key...)
	again := a.do("POST", "/v1/records", strings.NewReader(systemLine(1, "")), key...)
	if first.Code != 200 || again.Body.String() != first.Body.String() || again.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("%d %s\n%d %s", first.Code, first.Body, again.Code, again.Body)
	}
	if w := a.do("POST", "/v1/records", strings.NewReader(systemLine(2, "")), key...); w.Code != 422 {
		t.Errorf("other body: %d", w.Code)
	}
	seedKey := []string{"Content-Type", contract.MediaJSON, "Idempotency-Key", "k2"}
	body := `[{"pid":1,"container_id":"abcd","name":"n","vsz":1,"rss":2,"memory_usage":1.5,"cpu_usage":50.5,"action":"stop","timestamp":"2026-11-23T12:00:00Z"}]`
	a.do("POST", "/logs", strings.NewReader(body), seedKey...)
	head := a.store.Head()
	a.do("POST", "/logs", strings.NewReader(body), seedKey...)
	if a.store.Head() != head || head != 3 {
		t.Errorf("head %d, then %d", head, a.store.Head())
	}
}

func TestSeedRoutes(t *testing.T) {
	a := newAPI(t)
	w := a.do("POST", "/logs", strings.NewReader(`{"pid":7,"container_id":"abcd1234","name":"high","vsz":10,"rss":20,"memory_usage":2.5,"cpu_usage":99.9,"action":"kept"}`), "Content-Type", contract.MediaJSON)
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	w = a.do("POST", "/memory", strings.NewReader(`{"total_ram":1000,"free_ram":400,"shared_ram":5}`), "Content-Type", contract.MediaJSON)
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	got := page(t, a.get("/v1/records?order=asc"))
	c, _ := got.Records[0].Body.(contract.ContainerBody)
	h, _ := got.Records[1].Body.(contract.HostBody)
	if c.CPUMillicores != 999 || c.MemoryPermille != 25 || c.VSZKB != 10 || h.Memory.UsedKB != 600 {
		t.Errorf("%+v %+v", c, h)
	}
	if w := a.do("POST", "/logs", strings.NewReader(`"text"`), "Content-Type", contract.MediaJSON); w.Code != 400 {
		t.Errorf("%d", w.Code)
	}
}

func TestTokens(t *testing.T) {
	dir := t.TempDir()
	for name, token := range map[string]string{"w": "writer\n", "r": "reader"} {
		if err := os.WriteFile(dir+"/"+name, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	a := newAPI(t, func(d *web.Deps, _ *store.Config) { d.WriteToken, d.ReadToken = dir+"/w", dir+"/r" })

	for _, c := range []struct {
		method, target, token string
		want                  int
	}{
		{"GET", "/v1/records", "", 401},
		{"GET", "/v1/records", "reader", 200},
		{"GET", "/v1/records", "writer", 200},
		{"GET", "/v1/records", "other", 401},
		{"GET", "/v1/records", "bearer reader", 200},
		{"GET", "/v1/records", "BEARER  reader", 200},
		{"GET", "/v1/records", "Basic reader", 401},
		{"GET", "/metrics", "", 401},
		{"GET", "/healthz", "", 200},
		{"GET", "/readyz", "", 200},
		{"GET", "/version", "", 200},
		{"POST", "/v1/records", "", 401},
		{"POST", "/v1/records", "reader", 401},
		{"POST", "/v1/records", "writer", 200},
		{"POST", "/v1/charts", "reader", 401},
	} {
		if !strings.Contains(c.token, " ") {
			c.token = "Bearer " + c.token
		}

		w := a.do(c.method, c.target, strings.NewReader(systemLine(1, "")), "Authorization", c.token, "Content-Type", contract.MediaNDJSON)
		if w.Code != c.want {
			t.Errorf("%s %s as %q: %d, want %d", c.method, c.target, c.token, w.Code, c.want)
		}
	}
}

func TestOperations(t *testing.T) {
	a := newAPI(t)
	a.post("/v1/records", systemLine(1, ""))
	for _, target := range []string{"/healthz", "/readyz", "/version", "/openapi.json"} {
		if w := a.get(target); w.Code != 200 {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	if w := a.get("/metrics"); !strings.Contains(w.Body.String(), `gestor_logs_records_total{stream="events"} 1`) {
		t.Errorf("metrics: %s", w.Body)
	}
	for target, method := range map[string]string{"/nowhere": "GET", "/v1/records/1": "DELETE", "/healthz": "PUT"} {
		w := a.do(method, target, nil)
		if (w.Code != 404 && w.Code != 405) || w.Header().Get("Content-Type") != contract.MediaProblem {
			t.Errorf("%s %s: %d %s", method, target, w.Code, w.Header().Get("Content-Type"))
		}
	}
}
