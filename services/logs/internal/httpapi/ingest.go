package httpapi

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"sync"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/semaphore"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/respond"
	"gestor.local/logs/internal/store"
)

// ingest is POST /v1/records.
type ingest struct {
	Deps
	parsers     sync.Pool           // of *line.Parser
	bodies      sync.Pool           // of *[]byte
	batches     sync.Pool           // of *batch
	budget      *bodyBudget         // of bodies
	suiteBudget *bodyBudget         // of those that the suite's own services send
	parseBudget *semaphore.Weighted // of bodies whose records are in memory too
	responses   *responseCache
}

// Bounds of what is in memory at once, so that many large bodies wait for each other. Parsed, a body takes three times its
// size more; but only one that has arrived whole is parsed, so that a slow client does not keep others from it.
const (
	bodiesInMemory = 3*contract.MaxBodyBytes + 3
	bodiesOfClient = bodiesInMemory / 2
	bodiesOfSuite  = contract.MaxBodyBytes + 1
	bodiesParsed   = 2 * contract.MaxBodyBytes
)

func newIngest(d Deps) *ingest {
	return &ingest{
		Deps: d, responses: newResponseCache(d.Query.Now),
		budget: newBodyBudget(bodiesInMemory, bodiesOfClient), suiteBudget: newBodyBudget(bodiesOfSuite, bodiesOfSuite),
		parseBudget: semaphore.NewWeighted(bodiesParsed),
		parsers:     sync.Pool{New: func() any { return line.NewParser() }},
		bodies:      sync.Pool{New: func() any { return new([]byte) }},
		batches:     sync.Pool{New: func() any { return new(batch) }},
	}
}

func (in *ingest) register(r gin.IRouter) { r.POST(contract.PathRecords, in.post) }

func (in *ingest) post(c *gin.Context) {
	p := respond.NewParams(c.Request, in.Query.Now())
	atomic := p.Choice("atomic", "0", "0", "1") == "1"
	if bad := p.Problems(); bad != nil {
		respond.BadParams(c, bad)
		return
	}
	if !checkContentType(c, contract.MediaJSON, contract.MediaNDJSON, "text/plain", "application/octet-stream", "") {
		return
	}

	in.receive(c, func(body []byte) {
		parser := in.parsers.Get().(*line.Parser)
		b := in.batches.Get().(*batch)
		b.parse(parser, body)
		in.parsers.Put(parser)

		in.store(c, b, atomic)
		if b.reset() {
			in.batches.Put(b)
		}
	})
}

// receive calls do with the whole body, unless its Idempotency-Key was answered before.
func (in *ingest) receive(c *gin.Context, do func(body []byte)) {
	reader := in.newBodyReader(c)
	defer reader.release()

	buf := in.bodies.Get().(*[]byte)
	defer in.putBuffer(buf)
	body, ok := in.readBody(c, reader, (*buf)[:0])
	*buf = body // which may have grown
	if !ok {
		return
	}

	// Only now, when all of it is here: a slow client takes no turn of those whose bodies are parsed.
	size := int64(len(body))
	if in.parseBudget.Acquire(c.Request.Context(), size) != nil {
		c.Abort()
		return
	}
	defer in.parseBudget.Release(size)

	in.idempotent(c, body, func() { do(body) })
}

// store appends a parsed batch and answers.
func (in *ingest) store(c *gin.Context, b *batch, atomic bool) {
	// Atomic: one record that cannot be stored keeps the others out. Without it the good ones are stored.
	switch {
	case b.syntax != nil:
		respond.Problem(c, http.StatusBadRequest, "the body is not JSON; nothing was stored", fieldErrors(b)...)
		return
	case len(b.rejected) > 0 && (atomic || len(b.records) == 0):
		respond.Problem(c, http.StatusUnprocessableEntity, "nothing was stored", fieldErrors(b)...)
		return
	case !in.Auth.allowsProducers(c, b.records):
		return
	}

	put := in.Store.Append
	if atomic {
		put = in.Store.AppendAll
	}
	result, err := put(c.Request.Context(), b.records)
	var refused *store.RefusedError
	switch {
	case errors.As(err, &refused):
		b.addRefusals(refused.Refused)
		respond.Problem(c, http.StatusUnprocessableEntity, "nothing was stored", fieldErrors(b)...)
		return
	case err != nil:
		respond.Error(c, err)
		return
	}

	b.addRefusals(result.Refused)
	c.JSON(http.StatusOK, ingestResult{IngestResult: contract.IngestResult{
		Accepted: result.Accepted, Duplicates: result.Duplicates, DuplicateRanges: b.lineRanges(result.DuplicateRanges), Rejected: b.rejected,
		FirstSeq: result.First, LastSeq: result.Last, Durable: result.Durable,
		SyncUS: uint64(result.Sync.Microseconds()),
	}, RejectedMore: b.unlisted})
}

// ingestResult is the contract's answer and how many rejected records it does not list. A sender of batches of up to
// maxRejected never sees that.
type ingestResult struct {
	contract.IngestResult
	RejectedMore int `json:"rejected_more,omitempty"`
}

// fieldErrors are the rejected records of a batch as a problem detail lists them.
func fieldErrors(b *batch) []contract.FieldError {
	out := make([]contract.FieldError, len(b.rejected), len(b.rejected)+1)
	for i, r := range b.rejected {
		out[i] = contract.FieldError{Line: r.Line, Reason: r.Reason}
	}
	if b.unlisted > 0 {
		out = append(out, contract.FieldError{Reason: fmt.Sprintf("and %d more", b.unlisted)})
	}
	return out
}

// checkContentType refuses a body of another type than the given ones ("" = none was named). A form, which curl -d sends, is
// refused with the way out: it would otherwise be easy to believe that it was stored.
func checkContentType(c *gin.Context, types ...string) bool {
	name := c.GetHeader("Content-Type")
	media, _, err := mime.ParseMediaType(name)
	if name == "" {
		media, err = "", nil
	}

	for _, t := range types {
		if err == nil && media == t {
			return true
		}
	}

	respond.Problem(c, http.StatusUnsupportedMediaType, fmt.Sprintf("Content-Type %q is not taken: send %s or %s "+
		"(curl: --data-binary @file -H 'Content-Type: %s')", name, contract.MediaJSON, contract.MediaNDJSON, contract.MediaNDJSON))
	return false
}

// maxPooled bounds the memory that is pooled for the next body: a large one is rare.
const maxPooled = 512 << 10

// putBuffer takes a buffer back, of which nothing is in use any more: parse copies what it keeps.
func (in *ingest) putBuffer(buf *[]byte) {
	if cap(*buf) <= maxPooled {
		in.bodies.Put(buf)
	}
}
