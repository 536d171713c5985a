package web

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
)

// once runs do under the key "k" and returns what was answered; a panic of do is the server's to catch.
func once(in *ingest, do func(*gin.Context)) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	c, _ := gin.CreateTestContext(w)
	c.Request = httptest.NewRequest(http.MethodPost, "/v1/records", nil)
	c.Request.Header.Set(idempotencyKey, "k")
	defer func() { _ = recover() }()
	in.idempotent(c, []byte("body"), func() { do(c) })
	return w
}

// A request that ended without an answer may have stored nothing: its key answers for nobody.
func TestAKeyWithoutAnAnswerIsForgotten(t *testing.T) {
	for name, end := range map[string]func(*gin.Context){
		"the client has gone": func(c *gin.Context) { c.Abort() },
		"a panic":             func(*gin.Context) { panic("x") },
		"refused":             func(c *gin.Context) { fail(c, http.StatusInsufficientStorage, "full") },
	} {
		t.Run(name, func(t *testing.T) {
			in := &ingest{answers: newAnswers(time.Now)}
			once(in, end)
			stored := 0
			store := func(c *gin.Context) { stored++; c.JSON(http.StatusOK, "stored") }
			once(in, store)
			again := once(in, store)
			if stored != 1 || again.Body.String() != `"stored"` {
				t.Errorf("stored %d times, answered %d %s", stored, again.Code, again.Body)
			}
		})
	}
}
