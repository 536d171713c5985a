// Package web is the HTTP server's handler: it joins the API (httpapi) and the pages (page) behind one router. gin is known
// to these packages and to respond alone.
package web

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"gestor.local/contract"

	"gestor.local/logs/internal/httpapi"
	"gestor.local/logs/internal/page"
	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/respond"
	"gestor.local/logs/internal/store"
)

// Deps is what the handlers need.
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
}

// New returns the handler of the whole service.
func New(d Deps) http.Handler {
	gin.SetMode(gin.ReleaseMode)

	// The embedded files can only be wrong in a build that its tests would refuse; the records are served then all the same.
	assets, err := page.LoadAssets()
	if err != nil {
		d.Log.Error().Err(err).Msg("the page cannot be served: build the service again from a clean clone")
	}
	return handler(d, assets)
}

// handler is the service with the page's files, nil for none.
func handler(d Deps, assets *page.Assets) http.Handler {
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	engine.ContextWithFallback = true
	engine.NoRoute(func(c *gin.Context) { respond.Problem(c, http.StatusNotFound, "no such path; see /openapi.json") })
	engine.NoMethod(func(c *gin.Context) {
		respond.Problem(c, http.StatusMethodNotAllowed, "this path does not take "+c.Request.Method)
	})

	recovery := respond.NewRecovery(d.Log, d.Metrics)
	auth := httpapi.TokenAuth{Write: d.WriteToken, Read: d.ReadToken, Suite: d.SuiteToken}
	engine.Use(newRequestObserver(d).middleware, recovery.Middleware, commonHeaders, newHostCheck(d).middleware, newOriginCheck().middleware, auth.Middleware)

	httpapi.New(httpapi.Deps{
		Store: d.Store, Query: d.Query, Metrics: d.Metrics, Version: d.Version, OpenAPI: d.OpenAPI, Auth: auth, Closing: d.Closing,
	}).Register(engine)
	if assets != nil {
		page.New(page.Deps{
			Store: d.Store, Query: d.Query, Log: d.Log, DataDir: d.DataDir, Version: d.Version, Recovery: recovery,
		}, assets).Register(engine)
	}
	return headAsGet(engine)
}
