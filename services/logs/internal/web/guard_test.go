package web

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"gestor.local/contract"

	"gestor.local/logs/internal/chart"
	"gestor.local/logs/internal/query"
)

func aGuard() *guard { return newGuard(zerolog.Nop(), prometheus.NewRegistry()) }

// broken is a shelf that cannot be read.
type broken struct{ *shelf }

func (broken) Scan(context.Context, contract.Filter, query.Order, func(contract.Record) error) error {
	panic("broken shelf")
}

// A panic in the goroutine that makes charts fails the requests that wait for them, and the next one is tried again.
func TestAPanicFailsItsRequestAlone(t *testing.T) {
	var said bytes.Buffer
	g := newGuard(zerolog.New(&said), prometheus.NewRegistry())
	s := newStudio(broken{&shelf{now: epoch()}}, g)
	q := chart.Query{Since: epoch().Add(-time.Hour), Until: epoch()}
	for range 2 {
		if _, err := s.all(t.Context(), q); !errors.Is(err, errPanic) {
			t.Errorf("%v, want %v", err, errPanic)
		}
	}
	if n := testutil.ToFloat64(g.panics.WithLabelValues("charts")); n != 2 {
		t.Errorf("%v panics counted, want 2", n)
	}
	if text := said.String(); !strings.Contains(text, "broken shelf") || !strings.Contains(text, "guard_test.go") {
		t.Errorf("neither the panic nor its stack is logged: %s", text)
	}
}

// Of an answer that has begun a panic leaves no end that looks like a whole one.
func TestAPanicBreaksOffAStream(t *testing.T) {
	engine := gin.New()
	engine.Use(aGuard().middleware)
	engine.GET("/before", func(*gin.Context) { panic("x") })
	engine.GET("/after", func(c *gin.Context) {
		c.String(http.StatusOK, "half")
		panic("x")
	})
	if w := ask(t, engine, http.MethodGet, "/before"); w.Code != 500 || w.Header().Get("Content-Type") != contract.MediaProblem {
		t.Errorf("before the answer: %d %s", w.Code, w.Body)
	}

	defer func() {
		if err, ok := recover().(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("after its begin: %v, want %v", err, http.ErrAbortHandler)
		}
	}()
	engine.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/after", nil))
}
