package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"gestor.local/contract"

	"gestor.local/logs/internal/query"
)

// newRequest is a handler's context by itself.
func newRequest(ctx context.Context, method, target string) (*gin.Context, *httptest.ResponseRecorder) {
	w := httptest.NewRecorder()
	c, _ := gin.CreateTestContext(w)
	c.Request = httptest.NewRequest(method, target, nil).WithContext(ctx)
	return c, w
}

func TestALimitedStreamEndsWithItsLastLine(t *testing.T) {
	sent := 0
	send := limitLines(2, func(query.Line) error { sent++; return nil })
	if first, second := send(query.Line{}), send(query.Line{}); first != nil || !errors.Is(second, query.ErrStop) || sent != 2 {
		t.Errorf("%v, %v, %d sent", first, second, sent)
	}
	if send := limitLines(0, func(query.Line) error { return nil }); send(query.Line{}) != nil {
		t.Error("a stream without a limit ended")
	}
}

func TestStreamsAreBounded(t *testing.T) {
	r := newRecords(Deps{})
	for range maxStreams {
		if err := r.slots.Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	c, w := newRequest(t.Context(), http.MethodGet, contract.PathRecords)
	r.stream(c, query.Query{}, "ndjson", 0, nil)
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestTheServicesEndEndsAStreamsContext(t *testing.T) {
	closing := make(chan struct{})
	ctx, cancel := Deps{Closing: closing}.untilClosing(t.Context())
	defer cancel()
	if ctx.Err() != nil {
		t.Fatal(ctx.Err())
	}
	close(closing)
	<-ctx.Done()
	if !errors.Is(context.Cause(ctx), errClosing) {
		t.Error(context.Cause(ctx))
	}
}
