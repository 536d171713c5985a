// Package httpapi is the part of the service that programs ask: one file for each resource. The contract is openapi.yaml;
// the tests of package web validate every answer against it.
package httpapi

import (
	"context"
	"errors"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/respond"
	"gestor.local/logs/internal/store"
)

// Deps is what the handlers need.
type Deps struct {
	Store *store.Store
	Query *query.Engine
	// Metrics is what /metrics shows; New adds the store's counters.
	Metrics *prometheus.Registry
	Version string
	// OpenAPI is the contract as JSON.
	OpenAPI []byte
	Auth    TokenAuth
	// Closing is closed when the service shuts down: streams end.
	Closing <-chan struct{}
}

// API is the resources of the API.
type API struct{ resources []resource }

// resource is one part of the API.
type resource interface{ register(r gin.IRouter) }

// New returns the API over a store.
func New(d Deps) API {
	d.Metrics.MustRegister(newStoreCollector(d.Store))

	heavy := respond.NewSlots(maxHeavy)
	in := newIngest(d)
	return API{[]resource{
		in,
		newAssignment(in),
		newRecords(d),
		newTail(d),
		stats{d, heavy},
		containers{d, heavy},
		ops{d},
	}}
}

// Register adds the routes.
func (a API) Register(r gin.IRouter) {
	for _, one := range a.resources {
		one.register(r)
	}
}

// Questions that read records one by one and gather what they find take a core, and up to 64 MiB, each.
const (
	maxHeavy  = 2
	heavyWait = 2 * time.Second // for the others' end
	heavyBusy = "other questions that read many records are being answered: try again"
)

var errClosing = errors.New("the service is shutting down")

// untilClosing is a context that ends with its parent, or with the service and the cause errClosing.
func (d Deps) untilClosing(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)

	select {
	case <-d.Closing: // what begins now ends now
		cancel(errClosing)
	default:
	}

	go func() {
		select {
		case <-d.Closing:
			cancel(errClosing)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}
