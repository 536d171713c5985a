package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"gestor.local/contract"

	"gestor.local/logs/internal/query"
)

// containers is GET /v1/containers and GET /v1/containers/{id}.
type containers struct{ Deps }

func (h containers) register(r gin.IRouter) {
	r.GET(contract.PathContainers, h.list)
	r.GET(contract.PathContainers+"/:id", h.life)
}

// populationRange is what a list without since looks back on from its end.
const populationRange = 15 * time.Minute

// list answers every container that a range has seen, the dead included, the largest consumers first.
func (h containers) list(c *gin.Context) {
	p := newParams(c.Request, h.Query.Now())
	f := p.filter()
	if len(f.Kinds) > 0 {
		p.wrong("kind", "is not chosen here")
	}
	by := p.choice("sort", "cpu", "cpu", "ram")
	limit := p.whole("limit", contract.DefaultPage, 1, contract.MaxPageRecords)
	if bad := p.done(); bad != nil {
		failParams(c, bad)
		return
	}
	if f.Since.IsZero() {
		end := f.Until
		if end.IsZero() {
			end = h.Query.Now()
		}
		f.Since = end.Add(-populationRange)
	}
	leave := h.queue(c)
	if leave == nil {
		return
	}
	defer leave()
	ctx, cancel := context.WithTimeout(c.Request.Context(), queryTimeout)
	defer cancel()
	all, err := h.Query.Containers(ctx, f, by)
	if err != nil {
		failStore(c, err)
		return
	}
	total := len(all)
	answerJSON(c, gin.H{"since": f.Since.UTC(), "total": total, "containers": all[:min(limit, total)]})
}

// life answers the story of one container.
func (h containers) life(c *gin.Context) {
	p := newParams(c.Request, h.Query.Now())
	host := p.one("host")
	if bad := p.done(); bad != nil {
		failParams(c, bad)
		return
	}
	id := c.Param("id")
	if len(id) < 4 {
		fail(c, http.StatusBadRequest, "give the id or at least its first 4 digits")
		return
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), queryTimeout)
	defer cancel()
	life, ok, err := h.Query.Life(ctx, id, host)
	switch {
	case errors.Is(err, query.ErrAmbiguous):
		fail(c, http.StatusConflict, err.Error())
	case err != nil:
		failStore(c, err)
	case !ok:
		fail(c, http.StatusNotFound, "no record mentions this container, or retention has deleted them")
	default:
		answerJSON(c, life)
	}
}
