package web

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// observer counts and logs requests.
type observer struct {
	log     zerolog.Logger
	seconds *prometheus.HistogramVec
}

func newObserver(d Deps) *observer {
	o := &observer{log: d.Log, seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "gestor_logs_request_seconds", Help: "Time to answer a request, streams included.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
	}, []string{"method", "path", "status"})}
	d.Metrics.MustRegister(o.seconds)
	return o
}

func (o *observer) middleware(c *gin.Context) {
	began := time.Now()
	defer func() { // also when a stream is aborted by a panic
		path := c.FullPath()
		if path == "" {
			path = "none"
		}
		status := c.Writer.Status()
		took := time.Since(began)
		o.seconds.WithLabelValues(methodLabel(c.Request.Method), path, strconv.Itoa(status)).Observe(took.Seconds())
		event := o.log.Debug()
		if status >= 500 {
			event = o.log.Warn()
		}
		event.Str("method", c.Request.Method).Str("path", c.Request.URL.Path).Int("status", status).
			Dur("took_ms", took).Msg("request")
	}()
	c.Next()
}

// methodLabel is a method as a label: whatever else a client calls itself is one series, not one each.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	default:
		return "other"
	}
}
