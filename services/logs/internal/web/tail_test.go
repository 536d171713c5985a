package web_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/store"
	"gestor.local/logs/internal/web"
)

// listen opens a tail and returns its lines as they come; the channel is closed at its end.
func listen(t *testing.T, url string, header ...string) (lines <-chan string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	out := make(chan string, 1000)
	go func() {
		defer close(out)
		defer res.Body.Close()
		for in := bufio.NewScanner(res.Body); in.Scan(); {
			if in.Text() != "" {
				out <- in.Text()
			}
		}
	}()
	return out, cancel
}

func expect(t *testing.T, lines <-chan string, want ...string) {
	t.Helper()
	for _, w := range want {
		select {
		case got, open := <-lines:
			if !open || !strings.Contains(got, w) {
				t.Fatalf("got %q, want %q", got, w)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("nothing came; want %q", w)
		}
	}
}

func TestTailResumesWhereItWasCut(t *testing.T) {
	a := newAPI(t)
	server := httptest.NewServer(a.handler)
	defer server.Close()
	a.post("/v1/records", systemLine(1, ""))
	lines, stop := listen(t, server.URL+"/v1/tail")
	expect(t, lines, ": alive")
	a.post("/v1/records", systemLine(2, ""))
	expect(t, lines, "id: 2", `data: {"v":1,"seq":2,`)
	stop()
	a.post("/v1/records", systemLine(3, "")+bodyLine(t, 4, start, contract.HostBody{})+systemLine(5, ""))
	lines, stop = listen(t, server.URL+"/v1/tail?kind=system", "Last-Event-ID", "2")
	defer stop()
	expect(t, lines, ": alive", "id: 4", `"pseq":3`, "id: 5", `"pseq":5`)
	back, stopBack := listen(t, server.URL+"/v1/tail?since=2020-01-01T00:00:00Z&format=ndjson")
	defer stopBack()
	expect(t, back, `"pseq":1`, `"pseq":2`)
}

func TestTailTellsOfGaps(t *testing.T) {
	a := newAPI(t, func(_ *web.Deps, c *store.Config) {
		c.SegmentBytes = 1
		c.Keep[store.Events].Bytes = 600 // the oldest sealed files go at once
	})
	server := httptest.NewServer(a.handler)
	defer server.Close()
	for i := range 20 {
		a.post("/v1/records", systemLine(i+1, ""))
	}
	deadline := time.Now().Add(20 * time.Second)
	for a.store.Oldest() < 5 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	lines, stop := listen(t, server.URL+"/v1/tail", "Last-Event-ID", "1")
	defer stop()
	expect(t, lines, "event: gap", "id: ", `data: {"from":2,"to":`)
}

func TestTailsEndWithTheService(t *testing.T) {
	a := newAPI(t)
	server := httptest.NewServer(a.handler)
	defer server.Close()
	lines, stop := listen(t, server.URL+"/v1/tail")
	defer stop()
	expect(t, lines, ": alive")
	close(a.closing)
	select {
	case _, open := <-lines:
		if open {
			t.Error("a line came after the end")
		}
	case <-time.After(20 * time.Second):
		t.Error("the tail did not end")
	}
}

func TestTailsAreBounded(t *testing.T) {
	a := newAPI(t)
	server := httptest.NewServer(a.handler)
	defer server.Close()
	for range 64 {
		lines, stop := listen(t, server.URL+"/v1/tail")
		defer stop()
		expect(t, lines, ": alive")
	}
	if w := a.get("/v1/tail"); w.Code != 429 || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d", w.Code)
	}
}

// An id that this store has not given is of another data folder: the tail begins at the beginning.
func TestTailOfANewFolderBeginsAtTheBeginning(t *testing.T) {
	a := newAPI(t)
	server := httptest.NewServer(a.handler)
	defer server.Close()
	a.post("/v1/records", systemLine(1, ""))
	lines, stop := listen(t, server.URL+"/v1/tail", "Last-Event-ID", "999")
	defer stop()
	expect(t, lines, ": alive", "id: 1", `"pseq":1`)
}

func TestTheFormatThatIsNamedWins(t *testing.T) {
	a := newAPI(t)
	server := httptest.NewServer(a.handler)
	defer server.Close()
	lines, stop := listen(t, server.URL+"/v1/tail?format=sse", "Accept", contract.MediaNDJSON)
	defer stop()
	expect(t, lines, ": alive")
}
