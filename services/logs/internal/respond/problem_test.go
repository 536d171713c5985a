package respond

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/query"
)

// A full disk is 507, whatever was to be written: records or charts.
func TestAFullDiskIs507(t *testing.T) {
	for _, cause := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		c, w := aRequest(t.Context(), http.MethodPost, "/v1/charts")
		Error(c, fmt.Errorf("charts: %w", cause))
		if w.Code != http.StatusInsufficientStorage || w.Header().Get("Retry-After") == "" {
			t.Errorf("%v: %d, %v", cause, w.Code, w.Header())
		}
	}
}

func TestWhatIsTooMuchSaysWhatFits(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want []string
	}{
		"records":    {&query.TooMuchError{Records: 7, Most: 3, Since: time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)}, []string{`"field":"since"`, "2026-05-04T10:00:00Z", `"field":"container"`}},
		"containers": {query.ErrTooManyContainers, []string{"shorter range"}},
		"points":     {query.ErrTooMany, []string{`"field":"step"`}},
	} {
		ctx, w := aRequest(t.Context(), http.MethodGet, contract.PathContainers)
		Error(ctx, c.err)
		for _, want := range c.want {
			if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s: %d %s, want 422 with %s", name, w.Code, w.Body, want)
			}
		}
	}
}
