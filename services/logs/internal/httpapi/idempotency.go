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
	// maxResponse and maxResponses bound the bytes cached, of one answer and of all. Without its answer a repetition is done
	// again, which is safe: its records are duplicates.
	maxResponse  = 64 << 10
	maxResponses = 32 << 20
)

// responseCache has what was answered under a key.
type responseCache struct {
	now func() time.Time

	mu    sync.Mutex // guards the following fields
	byKey map[string]*cachedResponse
	order []string // oldest first
	bytes int      // of all answers
}

// cachedResponse is the answer under one key, once it is done.
type cachedResponse struct {
	bodyHash   [sha256.Size]byte
	reservedAt time.Time
	done       bool
	status     int
	content    []byte
	media      string
}

func newResponseCache(now func() time.Time) *responseCache {
	return &responseCache{now: now, byKey: map[string]*cachedResponse{}}
}

// reserve reserves a key; an earlier use is returned instead. Room is made after the look-up, so that the oldest key is
// still known when it is asked for.
func (r *responseCache) reserve(key string, body [sha256.Size]byte) (earlier *cachedResponse) {
	r.mu.Lock()
	defer r.mu.Unlock()

	for len(r.order) > 0 && r.now().Sub(r.byKey[r.order[0]].reservedAt) > keyAge {
		r.remove(r.order[0])
	}

	if known := r.byKey[key]; known != nil {
		copied := *known
		return &copied
	}

	if len(r.order) >= maxKeys {
		r.remove(r.order[0])
	}
	r.byKey[key] = &cachedResponse{bodyHash: body, reservedAt: r.now()}
	r.order = append(r.order, key)
	return nil
}

// complete keeps the answer of a request that stored, and forgets one that may be tried again.
func (r *responseCache) complete(key string, status int, media string, answer []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()

	k := r.byKey[key]
	if k == nil {
		return
	}
	if status != http.StatusOK || len(answer) > maxResponse {
		r.remove(key)
		return
	}

	k.done, k.status, k.media, k.content = true, status, media, answer
	for r.bytes += len(answer); r.bytes > maxResponses; {
		r.remove(r.order[0])
	}
}

// remove drops a key and its answer. The caller holds mu.
func (r *responseCache) remove(key string) {
	r.bytes -= len(r.byKey[key].content)
	delete(r.byKey, key)
	i := slices.Index(r.order, key) // nearly always the first or the last
	r.order = slices.Delete(r.order, i, i+1)
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

	// A key belongs to one path and one body. The same key with another body is a mistake of the client: answered with the
	// first answer, it would not see that its records were not stored.
	scoped := c.Request.URL.Path + " " + key
	hash := sha256.Sum256(body)
	earlier := in.responses.reserve(scoped, hash)

	switch {
	case earlier == nil: // the first of this key
	case earlier.bodyHash != hash:
		respond.Problem(c, http.StatusUnprocessableEntity, "this Idempotency-Key was used with another body")
		return
	case !earlier.done:
		respond.RetryLater(c, http.StatusConflict, 1, "the first request with this Idempotency-Key is still being worked on")
		return
	default:
		c.Header("Idempotency-Replayed", "true")
		c.Data(earlier.status, earlier.media, earlier.content)
		return
	}

	w := &copyWriter{ResponseWriter: c.Writer}
	c.Writer = w

	// The key is completed however do ends, by a panic too: one that stays reserved answers 409 for a day.
	defer func() {
		c.Writer = w.ResponseWriter
		status := w.Status()
		if !w.Written() { // the client has gone, or a panic: gin calls that 200 too
			status = 0
		}
		in.responses.complete(scoped, status, contract.MediaJSON, w.copied)
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
	w.copied = append(w.copied, b[:min(len(b), maxResponse+1-len(w.copied))]...)
	return w.ResponseWriter.Write(b)
}
