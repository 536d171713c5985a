package respond

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// ErrPanic is the error of work that ended with a panic.
var ErrPanic = errors.New("internal error; the service's log has the details")

// Recovery turns a panic into an error of the one request that the work is done for. Whatever runs in a goroutine of its
// own runs in Do: a panic that nobody recovers ends the process, and with it the intake.
type Recovery struct {
	log    zerolog.Logger
	panics *prometheus.CounterVec // by where
}

// NewRecovery registers the counter of panics.
func NewRecovery(log zerolog.Logger, metrics *prometheus.Registry) *Recovery {
	r := &Recovery{log: log, panics: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gestor_logs_panics_total", Help: "Requests and background work that ended with a panic, which is always a defect.",
	}, []string{"where"})}
	metrics.MustRegister(r.panics)
	return r
}

// Do does work; a panic of it is counted, logged with its stack, and returned as ErrPanic.
func (r *Recovery) Do(where string, work func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			r.report(where, "", v)
			err = ErrPanic
		}
	}()
	return work()
}

// Middleware answers 500 for a handler that panics.
func (r *Recovery) Middleware(c *gin.Context) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(v) // a stream that is broken off on purpose
		}

		r.report("handler", c.Request.URL.Path, v)
		if c.Writer.Written() {
			panic(http.ErrAbortHandler) // half an answer must not look like a whole one
		}
		Problem(c, http.StatusInternalServerError, ErrPanic.Error())
	}()
	c.Next()
}

// report counts and logs a panic. It runs inside the recovering function, so that the stack is the panic's.
func (r *Recovery) report(where, path string, v any) {
	r.panics.WithLabelValues(where).Inc()
	r.log.Error().Str("where", where).Str("path", path).Str("panic", fmt.Sprint(v)).Bytes("stack", debug.Stack()).Msg("panic")
}
