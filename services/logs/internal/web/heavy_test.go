package web

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"gestor.local/contract"

	"gestor.local/logs/internal/query"
)

// Questions that read records one by one wait for each other for a moment, and are told to come back instead of being
// given up after all their work.
func TestHeavyQuestionsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := Deps{heavy: make(chan struct{}, 1)}
		c, _ := aRequest(t.Context(), http.MethodGet, contract.PathContainers)
		leave := d.queue(c)
		if leave == nil {
			t.Fatal("the first one had to wait")
		}

		c, w := aRequest(t.Context(), http.MethodGet, contract.PathContainers)
		if d.queue(c) != nil || w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
			t.Errorf("%d %s", w.Code, w.Body)
		}

		leave()
		if d.queue(c) == nil {
			t.Error("its turn did not come")
		}
	})
}

func TestWhatIsTooMuchSaysWhatFits(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want []string
	}{
		"records":    {&query.TooMuchError{Records: 7, Most: 3, Since: epoch()}, []string{`"field":"since"`, "2026-05-04T10:00:00Z", `"field":"container"`}},
		"containers": {query.ErrTooManyContainers, []string{"shorter range"}},
		"points":     {query.ErrTooMany, []string{`"field":"step"`}},
	} {
		ctx, w := aRequest(t.Context(), http.MethodGet, contract.PathContainers)
		failStore(ctx, c.err)
		for _, want := range c.want {
			if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s: %d %s, want 422 with %s", name, w.Code, w.Body, want)
			}
		}
	}
}
