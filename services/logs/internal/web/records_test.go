package web_test

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"gestor.local/contract"
)

// A page of large records ends before its limit and says where the next one begins.
func TestAPageEndsWhenItIsLarge(t *testing.T) {
	a := newAPI(t)
	const n = 180
	large := `,"details":{"x":"` + strings.Repeat("x", 60<<10) + `"}`
	for from := 1; from <= n; from += 60 {
		var body strings.Builder
		for i := range 60 {
			body.WriteString(systemLine(from+i, large))
		}
		if code, _ := a.post("/v1/records", body.String()); code != 200 {
			t.Fatal(code)
		}
	}
	target, seen, pages := "/v1/records?limit=10000&order=asc&fields=seq,details", uint64(0), 0
	for next := ""; pages == 0 || next != ""; pages++ {
		w := a.get(target + next)
		if w.Body.Len() > 8<<20+contract.MaxRecordBytes {
			t.Errorf("a page of %d bytes", w.Body.Len())
		}
		var got struct {
			Records []struct{ Seq uint64 }
			Next    string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		for _, r := range got.Records {
			if seen++; r.Seq != seen {
				t.Fatalf("%d, want %d", r.Seq, seen)
			}
		}
		if next = got.Next; next != "" {
			next = "&cursor=" + next
		}
	}
	if seen != n || pages != 2 {
		t.Errorf("%d records on %d pages", seen, pages)
	}
}

func TestAListWithoutSinceLooksBackFromItsEnd(t *testing.T) {
	a := newAPI(t)
	a.post("/v1/records", bodyLine(t, 1, start, contract.ContainerBody{Subject: contract.Subject{Container: "abcdef"}, Owned: true, Measured: true}))
	w := a.get("/v1/containers?until=2026-11-23T12:10:00Z")
	if !strings.Contains(w.Body.String(), `"total":1`) || !strings.Contains(w.Body.String(), `"since":"2026-11-23T11:55:00Z"`) {
		t.Errorf("%s", w.Body)
	}
}

func TestTimesThatNoAnswerCouldTell(t *testing.T) {
	a := newAPI(t)
	for _, at := range []string{"253402300800", "9223372036854775807", "9999-12-31T23:59:59-23:00", "0001-01-02T00:00:00Z"} {
		for _, target := range []string{"/v1/records?since=", "/v1/containers?since=", "/v1/containers?until="} {
			if w := a.get(target + url.QueryEscape(at)); w.Code != 400 {
				t.Errorf("%s%s: %d %.200s", target, at, w.Code, w.Body)
			}
		}
	}
	for _, at := range []string{"253402300799", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z"} {
		if w := a.get("/v1/containers?until=" + at); w.Code != 200 {
			t.Errorf("%s: %d %.200s", at, w.Code, w.Body)
		}
	}
}

// A stream that begins while the service shuts down is refused, not cut off.
func TestStreamsEndWithTheService(t *testing.T) {
	a := newAPI(t)
	a.post("/v1/records", systemLine(1, ""))
	close(a.closing)
	for _, format := range []string{"ndjson", "csv"} {
		if w := a.get("/v1/records?format=" + format); w.Code != 503 || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", format, w.Code, w.Body)
		}
	}
}

// Every form of an answer is packed for those who take it, and is the same then; a problem never is.
func TestAnswersArePacked(t *testing.T) {
	a := newAPI(t)
	var body strings.Builder
	for i := range 60 {
		body.WriteString(bodyLine(t, i+1, start, contract.ContainerBody{
			Subject: contract.Subject{Container: strings.Repeat("ab", 10) + strconv.Itoa(i), Class: contract.ClassLow}, Owned: true, Measured: true,
		}))
	}
	if code, _ := a.post("/v1/records", body.String()); code != 200 {
		t.Fatal(code)
	}
	const day = "since=2026-11-23T00:00:00Z&until=2026-11-24T00:00:00Z"
	for _, target := range []string{
		"/v1/records", "/v1/records?format=ndjson", "/v1/records?format=csv", "/v1/containers?" + day,
		"/v1/stats?metric=ram_kb&by=container&step=1h&" + day,
	} {
		plain, gzipped := a.get(target), a.get(target, "Accept-Encoding", "gzip, br")
		if gzipped.Header().Get("Content-Encoding") != "gzip" || gzipped.Header().Get("Vary") != "Accept-Encoding" || plain.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: %v", target, gzipped.Header())
			continue
		}
		if got := unpacked(t, gzipped); string(got) != plain.Body.String() || gzipped.Body.Len() >= plain.Body.Len() {
			t.Errorf("%s: %d bytes gzipped in %d, want %d", target, len(got), gzipped.Body.Len(), plain.Body.Len())
		}
		if tag := gzipped.Header().Get("ETag"); tag != "" {
			if again := a.get(target, "Accept-Encoding", "gzip", "If-None-Match", tag); again.Code != 304 || tag == plain.Header().Get("ETag") {
				t.Errorf("%s: %d for %s, plain %s", target, again.Code, tag, plain.Header().Get("ETag"))
			}
		}
	}
	if w := a.get("/v1/records?limit=x", "Accept-Encoding", "gzip"); w.Code != 400 || w.Header().Get("Content-Encoding") != "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	close(a.closing)
	if w := a.get("/v1/records?format=ndjson", "Accept-Encoding", "gzip"); w.Code != 503 || w.Header().Get("Content-Encoding") != "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}
