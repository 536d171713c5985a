package ops_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"gestor.local/manager/internal/notify"
	"gestor.local/manager/internal/ops"
)

func TestMetricsOfNotices(t *testing.T) {
	reg := prometheus.NewRegistry()
	stats := notify.Stats{}
	ops.RegisterNotices(reg, func() notify.Stats { return stats })
	stats = notify.Stats{Pending: 3, Dropped: 2, Failures: 1}

	const want = `
# HELP gestor_notices_dropped_total Notices that nothing waits for and that there was no room for.
# TYPE gestor_notices_dropped_total counter
gestor_notices_dropped_total 2
# HELP gestor_notices_waiting Notices that wait for the webhook.
# TYPE gestor_notices_waiting gauge
gestor_notices_waiting 3
# HELP gestor_notify_failures Calls of the webhook in a row that failed.
# TYPE gestor_notify_failures gauge
gestor_notify_failures 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}
