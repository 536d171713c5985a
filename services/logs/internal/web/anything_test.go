package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	"pgregory.net/rapid"

	"gestor.local/contract"

	"gestor.local/logs/internal/chart"
	"gestor.local/logs/internal/chart/charttest"
	"gestor.local/logs/internal/page"
	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/store"
	"gestor.local/wal/disk/disktest"
)

// Whatever the intake accepted, every question about it has an answer: no panic, no status of 500 or more, valid JSON.
// Accepted is what any client may have sent: minutes with containers and without a host record, one tick, equal times,
// figures at their bounds, names that try to be markup.
func TestWhateverWasAcceptedIsAnswered(t *testing.T) {
	assets, err := page.LoadAssets()
	if err != nil {
		t.Fatal(err)
	}
	gin.SetMode(gin.TestMode)

	rapid.Check(t, func(t *rapid.T) {
		now := epoch()
		s, err := store.Open(store.Config{
			Dir: "data", FS: disktest.NewMem(), MinFree: 1, Fsync: store.FsyncNever, Now: func() time.Time { return now },
			SegmentBytes: rapid.SampledFrom([]int64{1, 1 << 20}).Draw(t, "segment bytes"),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()

		metrics := prometheus.NewRegistry()
		h := handler(Deps{Store: s, Query: query.New(s), Log: zerolog.Nop(), Metrics: metrics}, assets)
		kinds := rapid.SliceOfNDistinct(rapid.SampledFrom(contract.Kinds()), 1, -1, rapid.ID).Draw(t, "kinds")

		for n := range rapid.IntRange(1, 4).Draw(t, "requests") {
			var body strings.Builder
			for i := range rapid.IntRange(0, 12).Draw(t, "records") {
				body.WriteString(drawRecord(t, kinds, now, 100*n+i+1) + "\n")
			}
			if w := send(h, http.MethodPost, contract.PathRecords, body.String()); w.Code >= 500 {
				t.Fatalf("%s was answered with %d %s", &body, w.Code, w.Body)
			}
		}

		for _, path := range drawQuestions(t) {
			w := send(h, http.MethodGet, path, "")
			media := w.Header().Get("Content-Type")
			if w.Code >= 500 || !isWellFormed(media, w.Body.Bytes()) {
				t.Fatalf("GET %s: %d %s %s", path, w.Code, media, w.Body)
			}
		}
		if n, err := testutil.GatherAndCount(metrics, "gestor_logs_panics_total"); n > 0 || err != nil {
			t.Fatal("something panicked beside the requests", err)
		}
	})
}

// isWellFormed says whether a body is what its media type promises.
func isWellFormed(media string, body []byte) bool {
	switch media, _, _ = strings.Cut(media, ";"); media {
	case contract.MediaJSON, contract.MediaProblem:
		return json.Valid(body)
	case contract.MediaNDJSON:
		for line := range bytes.Lines(body) {
			if !json.Valid(line) {
				return false
			}
		}
	}
	return true
}

func epoch() time.Time { return time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC) }

func send(h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "127.0.0.1:8080"
	r.Header.Set("Content-Type", contract.MediaNDJSON)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// drawQuestions asks for every chart, page and table, of a selection that is drawn once: charts of one question are made
// together.
func drawQuestions(t *rapid.T) []string {
	of := func(name string, values ...string) string {
		if v := rapid.SampledFrom(append(values, "")).Draw(t, name); v != "" {
			return "&" + url.Values{name: {v}}.Encode()
		}
		return ""
	}
	selection := ""
	if rapid.Bool().Draw(t, "selection") {
		selection = of("class", "low", "high", "zzz") + of("image", "high-cpu", "i") + of("container", containerIDs[0], "ffff")
	}
	narrow := of("points", "2", "7")

	var out []string
	for _, name := range chart.Names() {
		for _, span := range []string{"1s", "15m", "6h", "30d", "400d"} { // of records and of sums
			format := "json"
			if rapid.IntRange(0, 19).Draw(t, "drawn") == 0 {
				format = rapid.SampledFrom([]string{"html", "png"}).Draw(t, name) // small, since compressing takes longest
			}
			out = append(out, contract.PathCharts+"/"+name+"."+format+"?width=320&height=240&range="+span+selection+narrow)
		}
	}
	since := of("since", "15m", "30d", "1970-01-01T00:00:00Z")
	stats := contract.PathStats + "?" + since + of("step", "7s", "1m", "7m", "24h") + of("by", "class", "image", "host", "container") +
		of("fn", "avg,min,max,sum,count", "p50", "p99,avg")
	for _, metric := range []string{"cpu_millicores", "ram_kb", "population", "memory_used_kb", "late_us", "remove_done"} {
		out = append(out, stats+"&metric="+metric)
	}
	return append(out, "/", "/now", "/containers/"+containerIDs[0], contract.PathContainers+"/"+containerIDs[0],
		contract.PathContainers+"?"+since+of("sort", "cpu", "ram"), contract.PathRecords+"?"+since+of("order", "asc", "desc"),
		contract.PathRecords+"?format=csv", contract.PathRecords+"?format=ndjson&fields=ts,name,details", contract.PathRecords+"/1",
		contract.PathDecisions+"?"+since, contract.PathReady, contract.PathMetrics)
}

var containerIDs = []string{"71fa559c210d" + strings.Repeat("0", 52), "71fa559c210e", "c", "日本"}

// drawRecord is one record as JSON: mostly acceptable, each member drawn by itself.
func drawRecord(t *rapid.T, kinds []contract.Kind, now time.Time, pseq int) string {
	word := func(name string, words ...string) string {
		hostile := charttest.Hostile()
		if rapid.IntRange(0, 9).Draw(t, "hostile") == 0 {
			words = hostile
		}
		return strings.ToValidUTF8(rapid.SampledFrom(words).Draw(t, name), "?")
	}
	number := func(name string) uint64 {
		return rapid.SampledFrom([]uint64{0, 1, 1, 3, 1000, 1 << 31, 1 << 53, math.MaxInt64, math.MaxUint64}).Draw(t, name)
	}
	count := func(name string) int64 {
		return rapid.SampledFrom([]int64{0, 1, 2, 3, 10, 1 << 31, 1 << 53, math.MaxInt64, math.MinInt64, -1}).Draw(t, name)
	}
	subject := func(m map[string]any) map[string]any {
		m["container"] = word("container", containerIDs...)
		m["name"] = word("name", "one", "two", "")
		m["image"] = word("image", "gestor/high-cpu:latest", "high-cpu", "i", "", ":", "/", "sha256:00")
		m["class"] = word("class", "low", "high", "unknown", "", "zzz")
		return m
	}

	kind := rapid.SampledFrom(kinds).Draw(t, "kind")
	m := map[string]any{}
	switch kind {
	case contract.KindHost:
		m = map[string]any{
			"memory": map[string]any{"total_kb": number("total"), "used_kb": number("used"), "free_kb": number("free"), "available_kb": number("available")},
			"cpus":   count("cpus"), "governed_ram_kb": number("governed"), "containers": count("containers"), "mode": word("mode", "enforce", "observe", "shadow"),
			"timings":       map[string]any{"late_us": number("late"), "read_us": number("read"), "act_us": number("act"), "decide_us": number("decide"), "sync_us": number("sync")},
			"spool_records": count("spool"), "skipped_ticks": number("skipped"),
		}
		var classes []any
		for range rapid.IntRange(0, 3).Draw(t, "classes") {
			classes = append(classes, map[string]any{
				"class": word("class", "low", "high", "unknown", "zzz"), "owned": count("owned"), "eligible": count("eligible"), "quota": count("quota"),
				"removals": count("removals"), "deficit": count("deficit"),
			})
		}
		m["classes"] = classes
		if rapid.Bool().Draw(t, "gated") {
			m["gates"] = []string{word("gate", "inventory", "")}
		}
	case contract.KindContainer:
		m = subject(map[string]any{
			"owned": rapid.IntRange(0, 4).Draw(t, "owned") > 0, "measured": rapid.IntRange(0, 4).Draw(t, "measured") > 0, "state": word("state", "running", "exited"),
			"cpu_millicores": number("cpu"), "ram_kb": number("ram"), "vsz_kb": number("vsz"), "rss_kb": number("rss"), "age_us": number("age"),
			"rank": count("rank"), "verdict": word("verdict", "keep", "remove", ""), "reason": word("reason", "within_quota", "young", "over_quota", ""),
		})
	case contract.KindDecision:
		m = subject(map[string]any{
			"sequence": number("sequence"), "mode": word("mode", "enforce"), "policy_hash": "x", "verdict": word("verdict", "keep", "remove"),
			"reason": word("reason", "over_quota", "young"), "text": word("text", "because"), "data_age_us": number("age"), "rank": count("rank"),
		})
	case contract.KindAction:
		m = subject(map[string]any{
			"action_id": "1", "action": word("action", "remove", "shadow_remove", "throttle", "stop"), "phase": word("phase", "intent", "outcome"),
			"outcome": word("outcome", "done", "already_stopped", "already_gone", "failed", ""), "latency_us": number("latency"), "attempts": count("attempts"),
		})
	case contract.KindLaunch:
		m = subject(map[string]any{
			"run": "r", "position": number("position"), "offset_us": number("offset"), "outcome": word("outcome", "started", "failed", "dropped"),
		})
	case contract.KindSystem:
		m = map[string]any{
			"event": word("event", "start", "condition_begin", "condition_end", "condition_alarm", "gate_begin", "_", "begin"), "level": word("level", "info", "warn", "error"),
			"message": word("message", "m", ""), "details": map[string]any{"condition": rapid.SampledFrom([]any{"engine", 7, nil}).Draw(t, "condition")},
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m)) { // what a producer of another version leaves out
		if rapid.IntRange(0, 19).Draw(t, "left out") == 0 {
			delete(m, name)
		}
	}
	maps.Copy(m, map[string]any{
		"v": 1, "kind": kind, "host": word("host", "n1", "n1", "n2"), "boot": word("boot", "b1", "b1", "b2"), "producer": word("producer", "manager", "t"),
		"pseq": pseq, "tick": number("tick"), "ts": drawTime(t, now), "source": word("source", "module", "procfs"),
	})
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// drawTime is mostly one of the last minutes, so that records share minutes and ticks.
func drawTime(t *rapid.T, now time.Time) string {
	if rapid.IntRange(0, 9).Draw(t, "far") == 0 {
		return rapid.SampledFrom([]string{
			"0001-01-01T00:00:01Z", "1969-12-31T23:59:30Z", "1970-01-01T00:00:00Z", "2026-05-04T14:00:00+14:00", "9999-12-31T23:59:59.999999999Z",
		}).Draw(t, "ts")
	}
	back := rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute, 2 * time.Hour, 20 * time.Hour, 72 * time.Hour, -10 * time.Second}).Draw(t, "back")
	return now.Add(-back - 10*time.Second*time.Duration(rapid.IntRange(0, 3).Draw(t, "tick of"))).Format(time.RFC3339Nano)
}

// The smallest of these sets that once ended the service.
func TestAChartOfContainersWithoutTheirHost(t *testing.T) {
	body := fmt.Sprintf(`{"v":1,"ts":%q,"kind":"container","host":"n1","boot":"b1","producer":"t","pseq":2,"tick":1,"container":"71fa559c210d","name":"one",`+
		`"image":"i","class":"high","owned":true,"measured":true,"cpu_millicores":1,"ram_kb":1,"vsz_kb":1,"rss_kb":1}`, epoch().Format(time.RFC3339))
	s, err := store.Open(store.Config{Dir: "data", FS: disktest.NewMem(), MinFree: 1, Now: func() time.Time { return epoch().Add(3 * time.Minute) }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	h := New(Deps{Store: s, Query: query.New(s), Log: zerolog.Nop(), Metrics: prometheus.NewRegistry(), DataDir: t.TempDir()})

	if w := send(h, http.MethodPost, contract.PathRecords, body); w.Code != 200 {
		t.Fatal(w.Code, w.Body)
	}
	for _, name := range chart.Names() {
		if w := send(h, http.MethodGet, contract.PathCharts+"/"+name+".json?range=6h", ""); w.Code != 200 || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}
