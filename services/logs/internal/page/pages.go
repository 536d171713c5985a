// Package page is the part of the service that people look at: page, charts and static files.
package page

import (
	"github.com/gin-gonic/gin"
	"github.com/rs/zerolog"

	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/respond"
	"gestor.local/logs/internal/store"
)

// Deps is what the pages need.
type Deps struct {
	Store *store.Store
	Query *query.Engine
	Log   zerolog.Logger
	// DataDir is the bind volume: charts are written below it.
	DataDir string
	Version string
	// Recovery catches the panics of charts that are built in the background.
	Recovery *respond.Recovery
}

// Pages is the page, the containers' pages, the charts and the files that they use.
type Pages struct{ parts []part }

type part interface{ register(r gin.IRouter) }

// New returns the pages over a store, and removes what a process that was killed left half-written.
func New(d Deps, a *Assets) Pages {
	if removed, err := removeLeftovers(d.DataDir); err != nil || removed > 0 {
		d.Log.Warn().Err(err).Int("files", removed).Msg("removed half-written charts of a process that was killed")
	}
	return pages(d, a, recordSource{d.Query, d.Store})
}

// pages are those over any source of records.
func pages(d Deps, a *Assets, from RecordSource) Pages {
	return Pages{[]part{
		a,
		newChartHandler(d, a, newChartBuilder(from, d.Recovery)),
		pageHandler{d, a, from},
		containerHandler{d, a, from},
	}}
}

// Register adds the routes.
func (p Pages) Register(r gin.IRouter) {
	for _, one := range p.parts {
		one.register(r)
	}
}
