package respond

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"gestor.local/contract"
)

// Of an answer that has begun a panic leaves no end that looks like a whole one.
func TestAPanicBreaksOffAStream(t *testing.T) {
	engine := gin.New()
	engine.Use(NewRecovery(zerolog.Nop(), prometheus.NewRegistry()).Middleware)
	engine.GET("/before", func(*gin.Context) { panic("x") })
	engine.GET("/after", func(c *gin.Context) {
		c.String(http.StatusOK, "half")
		panic("x")
	})
	w := httptest.NewRecorder()
	engine.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/before", nil))
	if w.Code != 500 || w.Header().Get("Content-Type") != contract.MediaProblem {
		t.Errorf("before the answer: %d %s", w.Code, w.Body)
	}

	defer func() {
		if err, ok := recover().(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("after its begin: %v, want %v", err, http.ErrAbortHandler)
		}
	}()
	engine.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/after", nil))
}
