package page

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"gestor.local/contract"

	"gestor.local/logs/internal/chart"
	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/respond"
)

// broken is a source that cannot be read.
type broken struct{ *memorySource }

func (broken) Scan(context.Context, contract.Filter, query.Order, func(contract.Record) error) error {
	panic("broken source")
}

// A panic in the goroutine that makes charts fails the requests that wait for them, and the next one is tried again.
func TestAPanicFailsItsRequestAlone(t *testing.T) {
	var said bytes.Buffer
	metrics := prometheus.NewRegistry()
	s := newChartBuilder(broken{&memorySource{now: epoch()}}, respond.NewRecovery(zerolog.New(&said), metrics))
	q := chart.Query{Since: epoch().Add(-time.Hour), Until: epoch()}
	for range 2 {
		if _, err := s.all(t.Context(), q); !errors.Is(err, respond.ErrPanic) {
			t.Errorf("%v, want %v", err, respond.ErrPanic)
		}
	}
	want := `# HELP gestor_logs_panics_total Requests and background work that ended with a panic, which is always a defect.
# TYPE gestor_logs_panics_total counter
gestor_logs_panics_total{where="charts"} 2
`
	if err := testutil.GatherAndCompare(metrics, strings.NewReader(want), "gestor_logs_panics_total"); err != nil {
		t.Error(err)
	}
	if text := said.String(); !strings.Contains(text, "broken source") || !strings.Contains(text, "recovery_test.go") {
		t.Errorf("neither the panic nor its stack is logged: %s", text)
	}
}
