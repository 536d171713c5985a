package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"

	"github.com/gin-gonic/gin"
)

// A full disk is 507, whatever was to be written: records or charts.
func TestAFullDiskIs507(t *testing.T) {
	for _, cause := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		w := httptest.NewRecorder()
		c, _ := gin.CreateTestContext(w)
		c.Request = httptest.NewRequest(http.MethodPost, "/v1/charts", nil)
		failStore(c, fmt.Errorf("charts: %w", cause))
		if w.Code != http.StatusInsufficientStorage || w.Header().Get("Retry-After") == "" {
			t.Errorf("%v: %d, %v", cause, w.Code, w.Header())
		}
	}
}
