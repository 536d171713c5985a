package respond

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"gestor.local/contract"
)

// Questions that read records one by one wait for each other for a moment, and are told to come back instead of being
// given up after all their work.
func TestHeavyQuestionsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slots := NewSlots(1)
		c, _ := aRequest(t.Context(), http.MethodGet, contract.PathContainers)
		release := slots.AcquireWithin(c, 2*time.Second, "busy")
		if release == nil {
			t.Fatal("the first one had to wait")
		}

		c, w := aRequest(t.Context(), http.MethodGet, contract.PathContainers)
		if slots.AcquireWithin(c, 2*time.Second, "busy") != nil || w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
			t.Errorf("%d %s", w.Code, w.Body)
		}

		release()
		if slots.AcquireWithin(c, 2*time.Second, "busy") == nil {
			t.Error("its turn did not come")
		}
	})
}
