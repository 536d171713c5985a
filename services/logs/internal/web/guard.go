package web

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// errPanic is the error of work that ended with a panic.
var errPanic = errors.New("internal error; the service's log has the details")

// guard turns a panic into an error of the one request that the work is done for. Whatever runs in a goroutine of its own
// runs in call: a panic that nobody recovers ends the process, and with it the intake.
type guard struct {
	log    zerolog.Logger
	panics *prometheus.CounterVec
}

func newGuard(log zerolog.Logger, metrics *prometheus.Registry) *guard {
	g := &guard{log: log, panics: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gestor_logs_panics_total", Help: "Requests and background work that ended with a panic, which is always a defect.",
	}, []string{"where"})}
	metrics.MustRegister(g.panics)
	return g
}

// call does work; a panic of it is counted, logged with its stack, and returned as errPanic.
func (g *guard) call(where string, work func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			g.note(where, "", v)
			err = errPanic
		}
	}()
	return work()
}

// middleware answers 500 for a handler that panics.
func (g *guard) middleware(c *gin.Context) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(v) // a stream that is broken off on purpose
		}

		g.note("handler", c.Request.URL.Path, v)
		if c.Writer.Written() {
			panic(http.ErrAbortHandler) // half an answer must not look like a whole one
		}
		fail(c, http.StatusInternalServerError, errPanic.Error())
	}()
	c.Next()
}

// note counts and logs a panic. It runs inside the recovering function, so that the stack is the panic's.
func (g *guard) note(where, path string, v any) {
	g.panics.WithLabelValues(where).Inc()
	g.log.Error().Str("where", where).Str("path", path).Str("panic", fmt.Sprint(v)).Bytes("stack", debug.Stack()).Msg("panic")
}
