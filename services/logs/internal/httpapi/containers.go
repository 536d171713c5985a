package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"gestor.local/contract"

	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/respond"
)

// containers is GET /v1/containers and GET /v1/containers/{id}.
type containers struct {
	Deps
	heavy *respond.Slots // of questions that read records one by one
}

func (h containers) register(r gin.IRouter) {
	r.GET(contract.PathContainers, h.list)
	r.GET(contract.PathContainers+"/:id", h.history)
}

// defaultRange is what a list without since looks back on from its end.
const defaultRange = 15 * time.Minute

// list answers every container that a range has seen, the dead included, the largest consumers first.
func (h containers) list(c *gin.Context) {
	p := respond.NewParams(c.Request, h.Query.Now())
	f := p.Filter()
	if len(f.Kinds) > 0 {
		p.Reject("kind", "is not chosen here")
	}

	by := p.Choice("sort", "cpu", "cpu", "ram")
	limit := p.Int("limit", contract.DefaultPage, 1, contract.MaxPageRecords)
	if bad := p.Problems(); bad != nil {
		respond.BadParams(c, bad)
		return
	}

	if f.Since.IsZero() {
		end := f.Until
		if end.IsZero() {
			end = h.Query.Now()
		}
		f.Since = end.Add(-defaultRange)
	}

	release := h.heavy.AcquireWithin(c, heavyWait, heavyBusy)
	if release == nil {
		return
	}
	defer release()

	ctx, cancel := context.WithTimeout(c.Request.Context(), respond.QueryTimeout)
	defer cancel()
	all, err := h.Query.Containers(ctx, f, by)
	if err != nil {
		respond.Error(c, err)
		return
	}

	total := len(all)
	respond.JSON(c, gin.H{"since": f.Since.UTC(), "total": total, "containers": all[:min(limit, total)]})
}

// history answers the history of one container.
func (h containers) history(c *gin.Context) {
	p := respond.NewParams(c.Request, h.Query.Now())
	host := p.One("host")
	if bad := p.Problems(); bad != nil {
		respond.BadParams(c, bad)
		return
	}

	id := c.Param("id")
	if len(id) < 4 {
		respond.Problem(c, http.StatusBadRequest, "give the id or at least its first 4 digits")
		return
	}

	ctx, cancel := context.WithTimeout(c.Request.Context(), respond.QueryTimeout)
	defer cancel()

	life, ok, err := h.Query.ContainerHistory(ctx, id, host)
	switch {
	case errors.Is(err, query.ErrAmbiguous):
		respond.Problem(c, http.StatusConflict, err.Error())
	case err != nil:
		respond.Error(c, err)
	case !ok:
		respond.Problem(c, http.StatusNotFound, "no record mentions this container, or retention has deleted them")
	default:
		respond.JSON(c, life)
	}
}
