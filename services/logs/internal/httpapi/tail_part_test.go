package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/store"
	"gestor.local/wal/disk/disktest"
)

// However far behind a client resumes, it gets what is stored: a gap is only what is gone.
func TestATailResumesOverWhateverIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(store.Config{Dir: "data", FS: disktest.NewMem(), MinFree: 1, Host: "h", Fsync: store.FsyncNever})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()

		const all = 105_000
		records := slices.Repeat([]line.Record{systemRecord(t, 1)}, all)
		for i := range records {
			records[i].PSeq = uint64(i) + 1
		}
		for from := 0; from < all; from += 5000 {
			if _, err := s.Append(t.Context(), records[from:from+5000]); err != nil {
				t.Fatal(err)
			}
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c, w := newRequest(ctx, http.MethodGet, contract.PathTail)
		c.Request.Header.Set("Last-Event-ID", "3")
		newTail(Deps{Store: s, Query: query.New(s)}).get(c)

		body := w.Body.String()
		if n := strings.Count(body, "\nid: "); n != all-3 || strings.Contains(body, "event: gap") {
			t.Errorf("%d records, want %d; a gap: %t", n, all-3, strings.Contains(body, "event: gap"))
		}
	})
}

// What is deleted while a slow client reads is told, from the last record on that it got.
func TestATailTellsWhatWasDeletedUnderIt(t *testing.T) {
	for name, c := range map[string]struct {
		after, shown, oldest uint64
		want                 string
	}{
		"nothing":                      {100, 100, 1, ""},
		"before what was shown":        {100, 60, 50, ""},
		"behind what was shown":        {100, 60, 81, `{"from":61,"to":80,"count":20}`},
		"all of it and more":           {100, 60, 500, `{"from":61,"to":100,"count":40}`},
		"the next one of what is kept": {100, 60, 61, ""},
	} {
		ctx, _ := newRequest(t.Context(), http.MethodGet, contract.PathTail)
		s := &tailStream{streamWriter: newStreamWriter(ctx, "text/event-stream"), sse: true, after: c.after, lastSent: c.shown}
		s.gapWithin(c.oldest)
		if got := s.buf.String(); !strings.Contains(got, c.want) || c.want == "" && got != "" || s.after != c.after {
			t.Errorf("%s: %q, goes on after %d; want %q", name, got, s.after, c.want)
		}
	}
}
