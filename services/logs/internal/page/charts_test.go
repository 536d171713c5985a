package page

import (
	"bytes"
	"encoding/json"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gestor.local/logs/internal/chart"
)

func TestNineRequestsShareOneBuild(t *testing.T) {
	s := sampleRun(nil)
	h, _ := serve(t, s)
	var wg sync.WaitGroup
	for _, name := range chart.Names() {
		wg.Go(func() { ask(t, h, "GET", "/v1/charts/"+name+".json?range=15m") })
	}
	wg.Wait()
	if got := s.scans.Load(); got != 2 { // the newest record, and the range
		t.Errorf("%d scans of the records for nine charts, want 2", got)
	}
}

func TestChartComesInEveryForm(t *testing.T) {
	h, _ := serve(t, sampleRun(nil))
	if w := get(t, h, "/v1/charts/memory.png?width=640&height=360&theme=dark"); w.Header().Get("Content-Type") != "image/png" {
		t.Error(w.Header())
	} else if img, err := png.Decode(w.Body); err != nil || img.Bounds().Dx() != 640 || img.Bounds().Dy() != 360 {
		t.Errorf("picture %v: %v", img.Bounds(), err)
	}
	page := get(t, h, "/v1/charts/memory.html")
	if csp := page.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy %q", csp)
	}
	first := get(t, h, "/v1/charts/memory.json")
	again := ask(t, h, "GET", "/v1/charts/memory.json", "If-None-Match", first.Header().Get("ETag"))
	if again.Code != http.StatusNotModified {
		t.Errorf("unchanged chart: %d", again.Code)
	}
}

// TestOneRangeOneSetOfNumbers holds the option of the page, the model of the picture and the legend together.
func TestOneRangeOneSetOfNumbers(t *testing.T) {
	h, _ := serve(t, sampleRun(nil))
	var m chart.Model
	var doc struct {
		Legend []chart.LegendRow
		Option struct {
			Series []struct {
				Name string
				Data []json.RawMessage
			}
		}
	}

	decode(t, get(t, h, "/v1/charts/memory.json?view=model").Body.Bytes(), &m)
	decode(t, get(t, h, "/v1/charts/memory.json").Body.Bytes(), &doc)

	for i, s := range m.Panes[0].Series[:4] {
		sum, most, n := 0.0, 0.0, 0
		for j, p := range s.Points {
			sum, most, n = sum+p.Y, max(most, p.Y), n+1
			var pair []float64
			decode(t, doc.Option.Series[i].Data[j], &pair)
			if got := pair[1] * m.Panes[0].Scale().Div; got < p.Y*(1-1e-6) || got > p.Y*(1+1e-6) {
				t.Fatalf("%s, point %d: %v on the page, %v in the model", s.Name, j, got, p.Y)
			}
		}
		if row := doc.Legend[i]; row.Avg != chart.FormatValue(chart.UnitBytes, sum/float64(n)) || row.Max != chart.FormatValue(chart.UnitBytes, most) {
			t.Errorf("%s: legend %+v, points avg %v max %v", s.Name, row, sum/float64(n), most)
		}
	}
}

func decode(t *testing.T, b []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

func TestWrongQueriesAreRefused(t *testing.T) {
	h, _ := serve(t, sampleRun(nil))
	for path, want := range map[string]int{
		"/v1/charts/nonsense.json":                                 404,
		"/v1/charts/memory.gif":                                    404,
		"/v1/charts/memory":                                        404,
		"/v1/charts/memory.png?width=9000":                         400,
		"/v1/charts/memory.json?range=banana":                      400,
		"/v1/charts/memory.json?rnage=15m":                         400,
		"/v1/charts/memory.json?theme=pink":                        400,
		"/v1/charts/memory.json?since=2026-05-04T11:00:00Z":        400, // after the end
		"/v1/charts/memory.json?since=1h&range=15m":                400,
		"/containers/zz":                                           400,
		"/containers/0000000000000000":                             404,
		"/assets/secret":                                           404,
		"/v1/charts/memory.json?since=2026-05-04T10:00:00Z":        200,
		"/v1/charts/memory.json?class=low&image=low-idle&range=1h": 200,
	} {
		if got := ask(t, h, "GET", path); got.Code != want {
			t.Errorf("GET %s: %d, want %d: %s", path, got.Code, want, got.Body)
		}
	}
}

func TestFilesAreWholeAndNeedNothing(t *testing.T) {
	h, data := serve(t, sampleRun(nil))
	began := time.Now().Add(-2 * time.Second)
	for range 2 { // the second time replaces
		if w := ask(t, h, "POST", "/v1/charts"); w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}

	entries, err := os.ReadDir(filepath.Join(data, "charts"))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 2*len(chart.Names()) {
		t.Fatalf("%d files, want a page and a picture of each chart and nothing else: %v", len(entries), entries)
	}

	for _, e := range entries {
		body, err := os.ReadFile(filepath.Join(data, "charts", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if info, err := e.Info(); err != nil || info.ModTime().Before(began) {
			t.Errorf("%s is old: %v", e.Name(), err)
		}
		if strings.HasSuffix(e.Name(), ".html") {
			checkSelfContained(t, e.Name(), body)
		} else if _, err := png.Decode(bytes.NewReader(body)); err != nil {
			t.Errorf("%s: %v", e.Name(), err)
		}
	}

	if w := ask(t, h, "GET", "/graficar"); w.Code != http.StatusOK {
		t.Errorf("the course's name: %d", w.Code)
	}
}

// What a killed process left half-written goes at the start, and nothing else.
func TestHalfWrittenChartsAreSwept(t *testing.T) {
	dir := t.TempDir()
	if n, err := removeLeftovers(dir); n != 0 || err != nil {
		t.Errorf("without a folder: %d, %v", n, err)
	}

	charts := filepath.Join(dir, "charts")
	if err := os.Mkdir(charts, 0o755); err != nil {
		t.Fatal(err)
	}

	keep := []string{"notes.html.tmp", ".htaccess", ".memory.html", ".notes.html.1", "memory.html", "memory.html.1"}
	for _, name := range append([]string{".memory.html.123", ".memory.png.7", "memory.html.tmp", "population.png.tmp"}, keep...) {
		if err := os.WriteFile(filepath.Join(charts, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	New(Deps{DataDir: dir}, nil) // the service's start
	left, err := os.ReadDir(charts)
	if err != nil || len(left) != len(keep) {
		t.Errorf("%v, %v; want %v", left, err, keep)
	}
}
