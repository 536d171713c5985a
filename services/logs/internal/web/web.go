// Package web is the HTTP face of the log service and the only importer of gin: one file for each resource.
//
// Every error is a problem detail (RFC 9457). The contract is openapi.yaml; the tests validate every answer against it.
package web

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"gestor.local/contract"
	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/store"
)

// Deps is what the handlers stand on.
type Deps struct {
	Store   *store.Store
	Query   *query.Engine
	Log     zerolog.Logger
	Metrics *prometheus.Registry
	// DataDir is the bind volume: charts are written below it.
	DataDir string
	Version string
	// OpenAPI is the contract as JSON.
	OpenAPI []byte
	// WriteToken and ReadToken name files that hold a bearer token; "" asks for none. They are read on every request, so
	// that a token is changed by writing the file.
	WriteToken, ReadToken string
	// SuiteToken names the file with the token of the suite's own services: with one, records of the producers manager,
	// generator and logs are taken with it only. It does for writing and reading too.
	SuiteToken string
	// Hosts are further names that the service is asked under; "*" is any.
	Hosts contract.HostNames
	// Closing is closed when the service shuts down: streams end.
	Closing <-chan struct{}

	guard *guard        // set by New
	heavy chan struct{} // of questions that read records one by one, by New too
}

// queryTimeout bounds a query that is not a stream.
const queryTimeout = 10 * time.Second

// maxHeavy bounds the questions that read records one by one and gather what they find: each takes a core, and up to
// 64 MiB.
const maxHeavy = 2

// heavyWait is how long such a question waits for the others.
const heavyWait = 2 * time.Second

// queue waits for the turn of a question that reads records one by one; without one it answers, and leave is nil.
func (d Deps) queue(c *gin.Context) (leave func()) {
	late := time.NewTimer(heavyWait)
	defer late.Stop()
	select {
	case d.heavy <- struct{}{}:
		return func() { <-d.heavy }
	case <-c.Request.Context().Done():
		c.Abort()
	case <-late.C:
		retryLater(c, http.StatusTooManyRequests, 2, "other questions that read many records are being answered: try again")
	}
	return nil
}

// resource is one part of the API.
type resource interface{ register(r gin.IRouter) }

// New returns the handler of the whole API.
func New(d Deps) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	d.guard, d.heavy = newGuard(d.Log, d.Metrics), make(chan struct{}, maxHeavy)
	return handler(d, append(resources(d), face(d)...))
}

// handler is an API of the given parts.
func handler(d Deps, parts []resource) http.Handler {
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	engine.ContextWithFallback = true
	engine.NoRoute(func(c *gin.Context) { fail(c, http.StatusNotFound, "no such path; see /openapi.json") })
	engine.NoMethod(func(c *gin.Context) {
		fail(c, http.StatusMethodNotAllowed, "this path does not take "+c.Request.Method)
	})
	engine.Use(newObserver(d).middleware, d.guard.middleware, headers,
		newHosts(d).middleware, newOrigins().middleware, rolesOf(d).middleware)
	for _, r := range parts {
		r.register(engine)
	}
	return answerHead(engine)
}

// resources lists the parts that programs ask.
func resources(d Deps) []resource {
	in := newIngest(d)
	return []resource{
		in,
		newSeed(in),
		newRecords(d),
		newTail(d),
		stats{d},
		containers{d},
		ops{d},
	}
}

// headers sets what every answer carries.
func headers(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache") // revalidate by ETag
	c.Next()
}
