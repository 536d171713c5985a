package httpapi

import (
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"gestor.local/logs/internal/respond"
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
		"refused":             func(c *gin.Context) { respond.Problem(c, http.StatusInsufficientStorage, "full") },
	} {
		t.Run(name, func(t *testing.T) {
			in := &ingest{responses: newResponseCache(time.Now)}
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

// keyed ends a request under a key with an answer of some bytes.
func keyed(a *responseCache, key string, bytes int) {
	a.reserve(key, sha256.Sum256(nil))
	a.complete(key, http.StatusOK, "text/plain", make([]byte, bytes))
}

func TestTheOldestKeyIsKnownWhenItIsAskedFor(t *testing.T) {
	a := newResponseCache(time.Now)
	for i := range maxKeys {
		keyed(a, strconv.Itoa(i), 1)
	}
	if a.reserve("0", sha256.Sum256(nil)) == nil {
		t.Error("the oldest key went before it was looked up")
	}
	keyed(a, "new", 1)
	if len(a.byKey) != maxKeys || len(a.order) != maxKeys || a.byKey["0"] != nil || a.byKey["1"] == nil {
		t.Errorf("%d keys in an order of %d", len(a.byKey), len(a.order))
	}
}

// Answers take a bounded number of bytes; what is not kept is done again.
func TestAnswersAreBounded(t *testing.T) {
	in := &ingest{responses: newResponseCache(time.Now)}
	done := 0
	for range 2 {
		once(in, func(c *gin.Context) { done++; c.String(http.StatusOK, strings.Repeat("x", maxResponse+1)) })
	}
	if done != 2 || len(in.responses.byKey) != 0 {
		t.Errorf("done %d times, %d keys", done, len(in.responses.byKey))
	}
	for i := range maxResponses/maxResponse + 3 {
		keyed(in.responses, strconv.Itoa(i), maxResponse)
	}
	if in.responses.bytes != maxResponses || len(in.responses.byKey) != maxResponses/maxResponse {
		t.Errorf("%d bytes of %d answers", in.responses.bytes, len(in.responses.byKey))
	}
}
