package web_test

import (
	"fmt"
	"strings"
	"testing"
)

// A method that a client makes up is no series of its own.
func TestInventedMethodsAreOneSeries(t *testing.T) {
	a := newAPI(t)
	for i := range 3 {
		a.do(fmt.Sprintf("A%d", i), "/v1/records", nil)
	}
	metrics := a.get("/metrics").Body.String()
	if strings.Contains(metrics, `method="A`) || !strings.Contains(metrics, `gestor_logs_request_seconds_count{method="other",path="none",status="405"} 3`) {
		t.Errorf("%s", metrics)
	}
}
