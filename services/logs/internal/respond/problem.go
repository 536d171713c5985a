package respond

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"gestor.local/contract"

	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/store"
	"gestor.local/wal/disk"
)

// Problem answers with a problem detail and ends the request.
func Problem(c *gin.Context, status int, detail string, problems ...contract.FieldError) {
	writeProblem(c, contract.ErrorBody{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail,
		Instance: c.Request.URL.Path, Errors: problems,
	})
}

// writeProblem ends the request with a problem detail, where an answer can still be given.
func writeProblem(c *gin.Context, p contract.ErrorBody) {
	b, err := json.Marshal(p)
	if err != nil {
		c.AbortWithStatus(p.Status)
		return
	}
	c.Abort()
	if c.Writer.Written() { // a stream has begun: its end is all that can be said
		return
	}

	c.Writer.Header().Set("Content-Type", contract.MediaProblem) // a stream has announced its own
	c.Data(p.Status, contract.MediaProblem, b)
}

// RetryLater answers with a status that the client may try again after some seconds.
func RetryLater(c *gin.Context, status, seconds int, detail string) {
	c.Header("Retry-After", strconv.Itoa(seconds))
	Problem(c, status, detail)
}

// QueryTimeout bounds a query that is not a stream.
const QueryTimeout = 10 * time.Second

// Error answers with an error of the store or of a query.
func Error(c *gin.Context, err error) {
	var tooLarge *http.MaxBytesError
	var tooMuch *query.TooMuchError

	switch {
	case errors.As(err, &tooMuch):
		Problem(c, http.StatusUnprocessableEntity, tooMuch.Error(), narrowingHints(tooMuch)...)

	case errors.Is(err, query.ErrTooManyContainers):
		Problem(c, http.StatusUnprocessableEntity, err.Error())
	case errors.Is(err, query.ErrTooMany):
		Problem(c, http.StatusUnprocessableEntity, err.Error(), contract.FieldError{Field: "step", Reason: "is too narrow for the range"})

	case errors.Is(err, store.ErrFull), disk.NoSpace(err):
		RetryLater(c, http.StatusInsufficientStorage, 10, err.Error())
	case errors.Is(err, store.ErrBusy):
		RetryLater(c, http.StatusTooManyRequests, 1, err.Error())
	case errors.Is(err, store.ErrMany):
		RetryLater(c, http.StatusTooManyRequests, 60, err.Error())
	case errors.Is(err, store.ErrFailed), errors.Is(err, store.ErrClosed):
		RetryLater(c, http.StatusServiceUnavailable, 5, err.Error())

	case errors.Is(err, context.DeadlineExceeded):
		RetryLater(c, http.StatusServiceUnavailable, 1, "the query took longer than "+QueryTimeout.String()+": ask for a shorter range")
	case errors.Is(err, context.Canceled):
		c.Abort() // the client has gone
	case errors.As(err, &tooLarge):
		Problem(c, http.StatusRequestEntityTooLarge, "the body is larger than "+strconv.Itoa(contract.MaxBodyBytes)+" bytes")
	default:
		Problem(c, http.StatusInternalServerError, err.Error())
	}
}

// narrowingHints says how a question that would read too much is narrowed.
func narrowingHints(e *query.TooMuchError) []contract.FieldError {
	out := []contract.FieldError{{Field: "container", Reason: "reads that container's records only, or those of several"}}
	if !e.Since.IsZero() {
		out = append(out, contract.FieldError{Field: "since", Reason: e.Since.Format(time.RFC3339) + " fits, and any later time"})
	}
	return out
}
