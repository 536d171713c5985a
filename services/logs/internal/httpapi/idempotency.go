package httpapi

import (
	"crypto/sha256"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"gestor.local/contract"

	"gestor.local/logs/internal/respond"
)

// Idempotency-Key (IETF draft): a client that got no answer sends the same request again and gets the first answer. The
// answers are kept in memory only: after a restart the identity of the records still keeps them from being stored twice.
const (
	idempotencyKey = "Idempotency-Key"
	maxKeys        = 10_000
	keyAge         = 24 * time.Hour
	maxKeyLength   = 200
	// maxAnswer and maxAnswers bound the bytes kept, of one answer and of all. Without its answer a repetition is done
	// again, which is safe: its records are duplicates.
	maxAnswer  = 64 << 10
	maxAnswers = 32 << 20
)

// answers remembers what was answered under a key.
type answers struct {
	now func() time.Time

	mu    sync.Mutex // guards the following fields
	byKey map[string]*kept
	order []string // oldest first
	bytes int      // of all answers
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

// begin reserves a key; an earlier use is returned instead. Room is made after the look-up, so that the oldest key is
// still known when it is asked for.
func (a *answers) begin(key string, body [sha256.Size]byte) (earlier *kept) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.order) > 0 && a.now().Sub(a.byKey[a.order[0]].at) > keyAge {
		a.forget(a.order[0])
	}
	if k := a.byKey[key]; k != nil {
		copied := *k
		return &copied
	}
	if len(a.order) >= maxKeys {
		a.forget(a.order[0])
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
	if status != http.StatusOK || len(answer) > maxAnswer {
		a.forget(key)
		return
	}
	k.done, k.status, k.media, k.answer = true, status, media, answer
	for a.bytes += len(answer); a.bytes > maxAnswers; {
		a.forget(a.order[0])
	}
}

// forget drops a key and its answer. The caller holds mu.
func (a *answers) forget(key string) {
	a.bytes -= len(a.byKey[key].answer)
	delete(a.byKey, key)
	i := slices.Index(a.order, key) // nearly always the first or the last
	a.order = slices.Delete(a.order, i, i+1)
}

// idempotent runs do once for each key.
func (in *ingest) idempotent(c *gin.Context, body []byte, do func()) {
	key := c.GetHeader(idempotencyKey)
	if key == "" {
		do()
		return
	}
	if len(key) > maxKeyLength {
		respond.Problem(c, http.StatusBadRequest, "the Idempotency-Key is longer than 200 bytes")
		return
	}
	scoped := c.Request.URL.Path + " " + key
	hash := sha256.Sum256(body)
	earlier := in.answers.begin(scoped, hash)
	switch {
	case earlier == nil:
	case earlier.body != hash:
		respond.Problem(c, http.StatusUnprocessableEntity, "this Idempotency-Key was used with another body")
		return
	case !earlier.done:
		respond.RetryLater(c, http.StatusConflict, 1, "the first request with this Idempotency-Key is still being worked on")
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

// copyWriter keeps a copy of an answer, of a large one only enough to tell.
type copyWriter struct {
	gin.ResponseWriter
	copied []byte
}

// Write implements io.Writer.
func (w *copyWriter) Write(b []byte) (int, error) {
	w.copied = append(w.copied, b[:min(len(b), maxAnswer+1-len(w.copied))]...)
	return w.ResponseWriter.Write(b)
}
