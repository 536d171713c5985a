package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gestor.local/contract"
	"gestor.local/e2e/scenario"
)

// What the service is given while it has 256 MiB: half of what compose.yaml gives it, with its share for the heap.
const (
	memoryLimit = 256 << 20
	heapLimit   = "GOMEMLIMIT=200MiB"
	// answerWithin is when an answer comes at the latest; a writer that is kept out by others waits 30 s.
	answerWithin = 20 * time.Second
)

// hostile is a service in its cgroup, and whoever wishes it ill.
type hostile struct {
	*service
	t     *testing.T
	group memoryCgroup
	bin   string
	data  string
}

// TestHostileInputsInLittleMemory gives one service what its neighbours' users met or tried, one thing after the other, so that
// later ones find what the earlier left. After each it lives, in the same process, and takes records; each is answered sensibly.
func TestHostileInputsInLittleMemory(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("a memory cgroup needs root")
	}
	group := newMemoryCgroup(t, memoryLimit)
	h := &hostile{t: t, group: group, bin: group.within(t, build(t)), data: t.TempDir()}
	h.start()
	t.Cleanup(func() { h.kill() })

	for _, input := range []struct {
		name string
		give func(*testing.T, *hostile)
	}{
		{"charts of containers whose host has no record", containersWithoutHost},
		{"figures that no sum can hold", figuresBeyondSums},
		{"queries that are none", queriesThatAreNone},
		{"numbers of one sender that leave gaps, downwards and upwards", numbersWithGaps},
		{"more idle connections of one client than the service takes", idleConnections},
		{"bodies that are announced and do not come", bodiesThatDoNotCome},
		{"a new image and a new class with every record of a day", everyRecordItsOwnImage},
		{"everything counted at once", everythingCounted},
		{"files that vanish and are cut short while it runs", filesThatVanish},
		{"files and folders in the place of others at its start", filesInTheWayAtTheStart},
		{"a disk without room", diskWithoutRoom},
	} {
		t.Run(input.name, func(t *testing.T) {
			h.t, h.service.t = t, t
			input.give(t, h)
			h.checkAlive(t)
		})
	}
}

func (h *hostile) start(env ...string) {
	h.t.Helper()
	h.service = start(h.t, h.bin, h.data, append([]string{heapLimit, "GESTOR_SEGMENT_BYTES=4194304", "GESTOR_FSYNC=interval"}, env...)...)
	h.service.http.Timeout = answerWithin
}

// checkAlive checks that the service is the same process, was not killed, and takes a record.
func (h *hostile) checkAlive(t *testing.T) {
	t.Helper()
	if n := h.group.oomKills(t); n > 0 {
		t.Fatalf("the kernel killed the service: it needed more than %d MiB", memoryLimit>>20)
	}
	if code, body := h.get(t, contract.PathHealth); code != http.StatusOK {
		t.Fatalf("/healthz: %d %s", code, body)
	}
	t.Logf("at most %d MiB, files among them; %d MiB resident", h.group.peakMB(), h.residentMB())
}

// get asks and returns the status, 0 when no answer came in time.
func (h *hostile) get(t *testing.T, path string) (int, string) {
	t.Helper()
	res, err := h.http.Get(h.url + path)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(body)
}

// checkAnswer checks that a question is answered in time: with what was asked for, or with a problem that says how to ask for less.
func (h *hostile) checkAnswer(t *testing.T, path string) {
	t.Helper()
	code, body := h.get(t, path)
	switch code {
	case http.StatusOK:
	case http.StatusUnprocessableEntity, http.StatusServiceUnavailable:
		var problem contract.ErrorBody
		if json.Unmarshal([]byte(body), &problem) != nil || problem.Detail == "" {
			t.Errorf("%s: %d without a reason: %.200s", path, code, body)
		}
	default:
		t.Errorf("%s: %d %.200s", path, code, body)
	}

	if code == http.StatusOK && !strings.Contains(path, ".png") && !strings.Contains(path, ".html") && !json.Valid([]byte(body)) {
		t.Errorf("%s: no JSON: %.200s", path, body)
	}
}

// container is a record of one container, complete but for what the text after it says.
func container(pseq uint64, at time.Time, id, image, class, figures string) string {
	return fmt.Sprintf(`{"v":1,"ts":%q,"kind":"container","host":"n1","boot":"b1","producer":"t","pseq":%d,"tick":1,"container":%q,"name":%q,`+
		`"image":%q,"class":%q,"state":"running","owned":true,"measured":true,%s}`+"\n", at.UTC().Format(time.RFC3339), pseq, id, id, image, class, figures)
}

const ordinary = `"cpu_millicores":1,"ram_kb":1,"vsz_kb":1,"rss_kb":1`

// charts are all that the page draws.
func charts() []string {
	return []string{"population", "memory", "processes", "lives", "top", "heatmap", "lifetimes", "control", "health"}
}

func containersWithoutHost(t *testing.T, h *hostile) {
	if code, result := h.post(container(2, time.Now().Add(-3*time.Minute), "71fa559c210d", "i", "high", ordinary)); code != 200 || result.Accepted != 1 {
		t.Fatalf("%d %+v", code, result)
	}
	for _, name := range charts() {
		for _, asked := range []string{".json?range=1h", ".json?range=6h", ".json?range=24h", ".png?range=6h"} {
			if code, body := h.get(t, contract.PathCharts+"/"+name+asked); code != http.StatusOK {
				t.Errorf("%s%s: %d %.200s", name, asked, code, body)
			}
		}
	}
}

func figuresBeyondSums(t *testing.T, h *hostile) {
	now := time.Now()
	for i, figures := range []string{
		`"cpu_millicores":9223372036854775808,"ram_kb":1,"vsz_kb":1,"rss_kb":1`,
		`"cpu_millicores":1,"ram_kb":18446744073709551615,"vsz_kb":1,"rss_kb":1`,
		`"cpu_millicores":9007199254740992,"ram_kb":1,"vsz_kb":1,"rss_kb":1`,
	} {
		for n := range uint64(3) {
			if code, result := h.post(container(1000+uint64(i)*10+n, now, "c1", "i", "high", figures)); result.Accepted != 0 {
				t.Errorf("%s: %d %+v, want it refused", figures, code, result)
			}
		}
	}

	// The largest that is taken.
	for n := range uint64(3) {
		code, result := h.post(container(1100+n, now, fmt.Sprint("d", n), "i", "high", `"cpu_millicores":9007199254740991,"ram_kb":9007199254740991,"vsz_kb":1,"rss_kb":1`))
		if code != 200 || result.Accepted != 1 {
			t.Errorf("2^53-1: %d %+v", code, result)
		}
	}

	h.checkAnswer(t, contract.PathStats+"?metric=cpu_millicores&fn=sum,max,avg&by=class&step=1m")
	h.checkAnswer(t, contract.PathContainers+"?sort=cpu")
}

func queriesThatAreNone(t *testing.T, h *hostile) {
	for _, path := range []string{
		"/v1/records?kind=system;limit=1", "/v1/records?kind=system%", "/v1/charts/population.json?range=1h;class=zzz", "/v1/records?kind=",
		"/v1/records?container=", "/v1/records?host=", "/v1/records?fields=ts,ts,nope", "/v1/stats?metric=cpu_millicores;by=class", "/v1/containers?sort=%zz",
		"/v1/decisions?limit=1;limit=2", "/v1/tail?kind=",
	} {
		if code, body := h.get(t, path); code != http.StatusBadRequest {
			t.Errorf("%s: %d %.200s", path, code, body)
		}
	}
}

// numbersWithGaps is what made every writer wait for one, and what was kept of it for ever.
func numbersWithGaps(t *testing.T, h *hostile) {
	const bodies, each = 8, 10_000
	for _, direction := range []struct {
		name   string
		number func(i uint64) uint64
	}{
		{"down", func(i uint64) uint64 { return 1<<40 - 1000*i }},
		{"up", func(i uint64) uint64 { return 1<<41 + 1000*i }},
	} {
		for n := range uint64(bodies) {
			var b strings.Builder
			ts := now()
			for i := range uint64(each) {
				fmt.Fprintf(&b, `{"v":1,"ts":%q,"kind":"system","host":"h","boot":"b","producer":"gaps","pseq":%d,"event":"e"}`+"\n", ts, direction.number(n*each+i))
			}
			if code, _ := h.post(b.String()); code == 0 || code >= 500 && code != http.StatusServiceUnavailable {
				t.Fatalf("%s, body %d: answered with %d", direction.name, n, code)
			}
		}
	}
	if code, result := h.post(batch(1, 100)); code != 200 || result.Accepted != 100 {
		t.Errorf("another sender: %d %+v", code, result)
	}
}

func idleConnections(t *testing.T, h *hostile) {
	addr := strings.TrimPrefix(h.url, "http://")
	for range 1100 {
		c, err := net.DialTimeout("tcp", addr, 2*time.Second)
		if err != nil {
			break // the service takes no more from here
		}
		defer c.Close()
	}

	// From another address, as another client is: the limit is one client's.
	other := *h.http
	other.Transport = &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		return (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).DialContext(ctx, network, address)
	}}
	mine := h.http
	h.service.http = &other
	defer func() { h.service.http = mine; mine.CloseIdleConnections() }()
	if code, result := h.post(batch(101, 10)); code != 200 || result.Accepted != 10 {
		t.Errorf("another client: %d %+v", code, result)
	}
}

func bodiesThatDoNotCome(t *testing.T, h *hostile) {
	addr := strings.TrimPrefix(h.url, "http://")
	for range 4 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n{", contract.MaxBodyBytes)
	}

	if code, result := h.post(batch(111, 10)); code != 200 || result.Accepted != 10 {
		t.Errorf("a writer beside them: %d %+v", code, result)
	}
}

// everyRecordItsOwnImage fills a day with names that come once.
func everyRecordItsOwnImage(t *testing.T, h *hostile) {
	const records, each = 250_000, 20_000
	end := time.Now()
	for from := 0; from < records; from += each {
		var b strings.Builder
		for i := from; i < min(from+each, records); i++ {
			at := end.Add(-time.Duration(records-i) * (23 * time.Hour / records))
			b.WriteString(container(uint64(1_000_000+i), at, fmt.Sprintf("%064x", i%5000), fmt.Sprint("image-", i), fmt.Sprint("class-", i), ordinary))
		}
		if code, result := h.post(b.String()); code != 200 {
			t.Fatalf("from %d: %d %+v", from, code, result)
		}
	}
	for _, name := range charts() {
		h.checkAnswer(t, contract.PathCharts+"/"+name+".json?range=24h")
		h.checkAnswer(t, contract.PathCharts+"/"+name+".png?range=24h")
	}
}

func everythingCounted(t *testing.T, h *hostile) {
	since := "since=" + url.QueryEscape(time.Now().Add(-24*time.Hour).UTC().Format(time.RFC3339))
	for _, path := range []string{
		contract.PathContainers + "?sort=cpu&limit=5&" + since,
		contract.PathContainers + "?sort=ram&limit=1000&" + since,
		contract.PathStats + "?metric=cpu_millicores&fn=avg,max,p99&by=image&step=10m&" + since,
		contract.PathStats + "?metric=ram_kb&fn=sum,p95&by=class&step=1h&" + since,
		contract.PathStats + "?metric=ram_kb&fn=count&by=container&step=24h&" + since,
	} {
		h.checkAnswer(t, path)
	}
}

// sealed are the files of records that are closed, the oldest first.
func (h *hostile) sealed(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(h.data, "records", "observations", "*.ndjson.gz"))
	if err != nil || len(files) < 4 {
		t.Fatalf("%d closed files (%v)", len(files), err)
	}
	return files
}

func (h *hostile) conditions(t *testing.T) map[string]string {
	t.Helper()
	_, body := h.get(t, contract.PathReady)
	var answer struct{ Conditions map[string]string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("/readyz: %v: %s", err, body)
	}
	return answer.Conditions
}

func filesThatVanish(t *testing.T, h *hostile) {
	files := h.sealed(t)
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(files[1], 100); err != nil {
		t.Fatal(err)
	}
	h.checkAnswer(t, contract.PathRecords+"?order=asc&limit=1000")
	h.checkAnswer(t, contract.PathCharts+"/population.json?range=24h")
	scenario.Eventually(t, 90*time.Second, "the service says so", func() error {
		if len(h.conditions(t)) == 0 {
			return fmt.Errorf("it is well")
		}
		return nil
	})
}

func filesInTheWayAtTheStart(t *testing.T, h *hostile) {
	files := h.sealed(t)
	h.stop()
	rollups, err := filepath.Glob(filepath.Join(h.data, "rollup", "*"))
	if err != nil || len(rollups) == 0 {
		t.Fatalf("no roll-ups: %v", err)
	}
	for _, path := range []string{files[len(files)-1], files[len(files)-2]} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(rollups[0]); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(rollups[0], []byte("not a folder"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.start()
	if len(h.conditions(t)) == 0 {
		t.Error("the service does not say what it found")
	}
	if code, result := h.post(batch(121, 10)); code != 200 || result.Accepted != 10 {
		t.Errorf("new records: %d %+v", code, result)
	}
	h.checkAnswer(t, contract.PathRecords+"?order=asc&limit=1000")
	h.checkAnswer(t, contract.PathCharts+"/population.json?range=24h")
}

// diskWithoutRoom runs a service of its own, on a file system that is filled to its last byte.
func diskWithoutRoom(t *testing.T, h *hostile) {
	h.stop()
	old := h.data
	h.data = t.TempDir()
	if err := unix.Mount("gestor-e2e", h.data, "tmpfs", 0, "size=16m"); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	h.start("GESTOR_MIN_FREE=1048576")
	t.Cleanup(func() {
		h.stop()
		if err := unix.Unmount(h.data, 0); err != nil {
			t.Errorf("clean up: %v", err)
		}
		h.data = old
		h.start()
	})
	if code, result := h.post(batch(1, 100)); code != 200 || result.Accepted != 100 {
		t.Fatalf("with room: %d %+v", code, result)
	}

	filler, err := os.Create(filepath.Join(h.data, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer filler.Close()
	if _, err := io.Copy(filler, zeroes{}); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	for range 3 {
		if code, _ := h.post(batch(101, 10)); code != http.StatusInsufficientStorage {
			t.Errorf("records: %d, want 507", code)
		}
	}
	res, err := h.http.Post(h.url+contract.PathCharts, contract.MediaJSON, nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusInsufficientStorage {
		t.Errorf("charts on disk: %d, want 507", res.StatusCode)
	}
	if code, body := h.get(t, contract.PathReady); code != http.StatusServiceUnavailable || !strings.Contains(body, "full") {
		t.Errorf("/readyz: %d %s", code, body)
	}
	h.checkAnswer(t, contract.PathRecords+"?order=asc&limit=1000")

	if err := os.Remove(filler.Name()); err != nil {
		t.Fatal(err)
	}
	filler.Close()
	scenario.Eventually(t, 30*time.Second, "records are taken again", func() error {
		if code, _ := h.post(batch(111, 10)); code != 200 {
			return fmt.Errorf("answered with %d", code)
		}
		return nil
	})
	_, body := h.get(t, contract.PathRecords+"?kind=system&producer=logs&limit=1000")
	if full, resumed := strings.Count(body, `"disk_full"`), strings.Count(body, `"disk_resumed"`); full > 1 || resumed > 1 {
		t.Errorf("one full disk is recorded as %d that began and %d that ended", full, resumed)
	}
}

// zeroes is a reader without end.
type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
