package httpapi

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/store"
)

// Records that a tail does not show do not keep it from saying that it lives.
func TestATailLivesWhileOtherRecordsArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(store.Config{Dir: t.TempDir(), MinFree: 1, Host: "h", Fsync: store.FsyncNever})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 4*heartbeat)
		defer cancel()

		var writing sync.WaitGroup
		defer writing.Wait()
		writing.Go(func() {
			for n := 1; ctx.Err() == nil; n++ {
				time.Sleep(tailInterval / 2) // one is there whenever the tail looks
				if _, err := s.Append(t.Context(), []line.Record{systemRecord(t, n)}); err != nil {
					t.Error(err)
				}
			}
		})

		c, w := newRequest(ctx, http.MethodGet, contract.PathTail)
		d := Deps{Store: s, Query: query.New(s)}
		stream := &tailStream{
			streamWriter: newStreamWriter(c, "text/event-stream"), query: d.Query, sse: true,
			filter: contract.Filter{Kinds: []contract.Kind{contract.KindHost}},
		}
		newTail(d).run(ctx, stream)
		if n := strings.Count(w.Body.String(), ": alive"); n < 4 || n > 5 {
			t.Errorf("it said %d times that it lives, want once at the beginning and every 15 s of a minute:\n%s", n, w.Body)
		}
	})
}

// systemRecord is a system record with a number.
func systemRecord(t *testing.T, n int) (rec line.Record) {
	t.Helper()
	r := contract.NewRecord(time.Now(), 0, "", contract.SystemBody{Event: "note", Level: "info"})
	r.Host, r.Boot, r.Producer, r.PSeq = "h", "b", "p", uint64(n)
	text, err := r.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := line.NewParser().Next(text, nil, &rec); err != nil {
		t.Fatal(err)
	}
	return rec
}
