package web

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/seed"
)

// seedRoutes are POST /logs and POST /memory: the assignment's own records, stored as Gestor's.
type seedRoutes struct {
	*ingest
	boot string // of this process: the identity of records whose sender gave none
	pseq atomic.Uint64
}

func newSeed(in *ingest) *seedRoutes { return &seedRoutes{ingest: in, boot: rand.Text()} }

func (s *seedRoutes) register(r gin.IRouter) {
	r.POST("/logs", func(c *gin.Context) {
		take(s, c, func(rows seed.Processes) []contract.Record { return seed.Records(rows, s.Query.Now()) })
	})
	r.POST("/memory", func(c *gin.Context) {
		take(s, c, func(m seed.Memory) []contract.Record { return []contract.Record{m.Record(s.Query.Now())} })
	})
}

// take decodes a body and stores the records made of it.
func take[T any](s *seedRoutes, c *gin.Context, convert func(T) []contract.Record) {
	if !acceptable(c, contract.MediaJSON) {
		return
	}
	s.receive(c, func(body []byte) {
		var in T
		if err := json.Unmarshal(body, &in); err != nil {
			fail(c, http.StatusBadRequest, "the body is not what the assignment sends here: "+err.Error())
			return
		}
		s.store(c, s.identify(c, convert(in)), true)
	})
}

// identify gives records an identity: that of the Idempotency-Key, under which a repetition after a restart is still a
// duplicate, else a new one.
func (s *seedRoutes) identify(c *gin.Context, records []contract.Record) *batch {
	b := new(batch)
	key := c.GetHeader(idempotencyKey)
	parser := line.NewParser()
	for i, rec := range records {
		rec.Host, rec.Boot, rec.Producer, rec.PSeq = "seed", s.boot, "seed", s.pseq.Add(1)
		if key != "" {
			rec.Boot, rec.PSeq = "key:"+key, uint64(i+1)
		}
		if rec.Time.IsZero() {
			rec.Time = s.Query.Now().Truncate(time.Microsecond)
		}
		text, err := json.Marshal(rec)
		if err == nil {
			b.records = append(b.records, line.Record{})
			_, _, err = parser.Next(text, nil, &b.records[len(b.records)-1])
		}
		if err != nil {
			b.rejected = append(b.rejected, contract.Rejected{Line: i + 1, Reason: fmt.Sprint(err)})
		}
	}
	return b
}
