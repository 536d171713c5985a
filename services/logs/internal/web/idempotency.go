package web

import (
	"crypto/sha256"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"gestor.local/contract"
)

// Idempotency-Key (IETF draft): a client that got no answer sends the same request again and gets the first answer. The
// answers are kept in memory only: after a restart the identity of the records still keeps them from being stored twice.
const (
	idempotencyKey = "Idempotency-Key"
	maxKeys        = 10_000
	keyAge         = 24 * time.Hour
	maxKeyLength   = 200
)

// answers remembers what was answered under a key.
type answers struct {
	now func() time.Time

	mu    sync.Mutex // guards the following fields
	byKey map[string]*kept
	order []string // oldest first
}

type kept struct {
	body   [sha256.Size]byte
	at     time.Time
	done   bool
	status int
	answer []byte
	media  string
}

func newAnswers(now func() time.Time) *answers { return &answers{now: now, byKey: map[string]*kept{}} }

// begin reserves a key; an earlier use is returned instead.
func (a *answers) begin(key string, body [sha256.Size]byte) (earlier *kept) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.order) > 0 && (len(a.order) >= maxKeys || a.now().Sub(a.byKey[a.order[0]].at) > keyAge) {
		delete(a.byKey, a.order[0])
		a.order = a.order[1:]
	}
	if k := a.byKey[key]; k != nil {
		copied := *k
		return &copied
	}
	a.byKey[key] = &kept{body: body, at: a.now()}
	a.order = append(a.order, key)
	return nil
}

// end keeps the answer of a request that stored, and forgets one that may be tried again.
func (a *answers) end(key string, status int, media string, answer []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := a.byKey[key]
	if k == nil {
		return
	}
	if status == http.StatusOK {
		k.done, k.status, k.media, k.answer = true, status, media, answer
		return
	}
	delete(a.byKey, key)
	for i, other := range a.order {
		if other == key {
			a.order = append(a.order[:i:i], a.order[i+1:]...)
			break
		}
	}
}

// idempotent runs do once for each key.
func (in *ingest) idempotent(c *gin.Context, body []byte, do func()) {
	key := c.GetHeader(idempotencyKey)
	if key == "" {
		do()
		return
	}
	if len(key) > maxKeyLength {
		fail(c, http.StatusBadRequest, "the Idempotency-Key is longer than 200 bytes")
		return
	}
	scoped := c.Request.URL.Path + " " + key
	hash := sha256.Sum256(body)
	earlier := in.answers.begin(scoped, hash)
	switch {
	case earlier == nil:
	case earlier.body != hash:
		fail(c, http.StatusUnprocessableEntity, "this Idempotency-Key was used with another body")
		return
	case !earlier.done:
		retryLater(c, http.StatusConflict, 1, "the first request with this Idempotency-Key is still being worked on")
		return
	default:
		c.Header("Idempotency-Replayed", "true")
		c.Data(earlier.status, earlier.media, earlier.answer)
		return
	}
	w := &copyWriter{ResponseWriter: c.Writer}
	c.Writer = w
	defer func() {
		c.Writer = w.ResponseWriter
		status := w.Status()
		if !w.Written() { // the client has gone, or a panic: gin calls that 200 too
			status = 0
		}
		in.answers.end(scoped, status, contract.MediaJSON, w.copied)
	}()
	do()
}

// copyWriter keeps a copy of a small answer.
type copyWriter struct {
	gin.ResponseWriter
	copied []byte
}

// Write implements io.Writer.
func (w *copyWriter) Write(b []byte) (int, error) {
	w.copied = append(w.copied, b...)
	return w.ResponseWriter.Write(b)
}
