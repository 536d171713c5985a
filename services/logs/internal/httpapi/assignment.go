package httpapi

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"gestor.local/contract"

	"gestor.local/logs/internal/assignment"
	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/respond"
)

// assignmentRoutes are POST /logs and POST /memory: the assignment's own records, stored as Gestor's.
type assignmentRoutes struct {
	*ingest
	boot string // of this process: the identity of records whose sender gave none
	pseq atomic.Uint64
}

func newAssignment(in *ingest) *assignmentRoutes {
	return &assignmentRoutes{ingest: in, boot: rand.Text()}
}

func (s *assignmentRoutes) register(r gin.IRouter) {
	r.POST("/logs", respond.NoParams, s.post(s.readProcesses))
	r.POST("/memory", respond.NoParams, s.post(s.readMemory))
}

// elementRecords is one element of a body as the records that it becomes.
type elementRecords []contract.Record

func (s *assignmentRoutes) readProcesses(body []byte) ([]elementRecords, error) {
	rows, err := assignment.ReadProcesses(body)
	out := make([]elementRecords, len(rows))
	for i, p := range rows {
		out[i] = p.Records(s.Query.Now())
	}
	return out, err
}

func (s *assignmentRoutes) readMemory(body []byte) ([]elementRecords, error) {
	var m assignment.Memory
	err := json.Unmarshal(body, &m)
	return []elementRecords{{m.Record(s.Query.Now())}}, err
}

// post decodes a body and stores the records made of it, all or none.
func (s *assignmentRoutes) post(read func(body []byte) ([]elementRecords, error)) gin.HandlerFunc {
	return func(c *gin.Context) {
		if !checkContentType(c, contract.MediaJSON) {
			return
		}

		s.receive(c, func(body []byte) {
			elements, err := read(body)

			var bad *assignment.ElementError
			switch {
			case errors.As(err, &bad):
				respond.Problem(c, http.StatusUnprocessableEntity, "nothing was stored", contract.FieldError{Line: bad.Element, Reason: bad.Reason})
			case err != nil:
				respond.Problem(c, http.StatusBadRequest, "the body is not what the assignment sends here: "+err.Error())
			default:
				s.store(c, s.withIdentity(elements, s.bootOf(c, body)), true)
			}
		})
	}
}

// bootOf is the boot of records under an Idempotency-Key, "" without one. It is that of the request as a whole, so that
// a repetition after a restart is a duplicate, and another body or another path under the same key is not.
func (s *assignmentRoutes) bootOf(c *gin.Context, body []byte) string {
	key := c.GetHeader(idempotencyKey)
	if key == "" {
		return ""
	}

	h := sha256.New()
	for _, part := range []string{c.Request.URL.Path, key} { // neither holds a line feed
		h.Write([]byte(part + "\n"))
	}
	h.Write(body)
	return "key:" + hex.EncodeToString(h.Sum(nil)[:16])
}

// withIdentity gives records an identity: numbers under the given boot, else new ones.
func (s *assignmentRoutes) withIdentity(elements []elementRecords, boot string) *batch {
	b := new(batch)
	parser := line.NewParser()
	n := uint64(0)

	for i, e := range elements {
		for _, rec := range e {
			n++
			rec.Host, rec.Boot, rec.Producer, rec.PSeq = "seed", boot, assignment.Producer, n
			if boot == "" {
				rec.Boot, rec.PSeq = s.boot, s.pseq.Add(1)
			}
			if rec.Time.IsZero() {
				rec.Time = s.Query.Now().Truncate(time.Microsecond)
			}

			// Through the same parser as what comes to /v1/records: one form of stored records, one set of bounds.
			text, err := json.Marshal(rec)
			if err != nil {
				b.reject(i+1, err.Error())
				continue
			}
			b.parseRecord(parser, text, i+1)
		}
	}
	return b
}
