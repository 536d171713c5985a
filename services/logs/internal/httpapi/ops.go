package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"gestor.local/contract"

	"gestor.local/logs/internal/respond"
)

// ops is what operators and orchestrators ask.
type ops struct{ Deps }

func (o ops) register(r gin.IRouter) {
	r.GET(contract.PathHealth, respond.NoParams, o.health)
	r.GET(contract.PathReady, respond.NoParams, o.ready)
	r.GET(contract.PathVersion, respond.NoParams, func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"version": o.Version}) })
	r.GET(contract.PathMetrics, respond.NoParams, gin.WrapH(promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{})))
	r.GET(contract.PathOpenAPI, respond.NoParams, func(c *gin.Context) { respond.Body(c, contract.MediaJSON, o.OpenAPI) })
}

// healthStatus is the answer of /healthz and /readyz.
type healthStatus struct {
	Status string `json:"status"` // ok, degraded, unavailable
	// Conditions says what is not as it should be.
	Conditions map[string]string `json:"conditions,omitempty"`
}

// health says whether the process works: a restart helps when it does not.
func (o ops) health(c *gin.Context) {
	if err := o.Store.Err(); err != nil {
		c.JSON(http.StatusServiceUnavailable, healthStatus{Status: "unavailable", Conditions: o.Store.Conditions()})
		return
	}
	c.JSON(http.StatusOK, healthStatus{Status: "ok"})
}

// ready says whether records are taken. Damage to old records degrades, it does not stop.
func (o ops) ready(c *gin.Context) {
	h := healthStatus{Status: "ok", Conditions: o.Store.Conditions()}
	switch {
	case o.Store.Err() != nil || o.Store.Full():
		h.Status = "unavailable"
		c.JSON(http.StatusServiceUnavailable, h)
	case len(h.Conditions) > 0:
		h.Status = "degraded"
		c.JSON(http.StatusOK, h)
	default:
		c.JSON(http.StatusOK, h)
	}
}
