// Package ops is the manager's own HTTP port: whether it lives, whether it governs, what keeps it from governing, its
// metrics, and the explanation of its decisions. It only reads; the one request that makes the manager do something, to
// read its policy now instead of before its next tick, is taken from the same machine alone.
package ops

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"gestor.local/contract"
	"gestor.local/manager/internal/explain"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/planview"
)

// Paths beside those of the contract.
const (
	PathConditions = "/conditions"
	PathExplain    = "/explain"
	PathReload     = "/reload"
)

// Time-outs of the port: it answers from memory and from one folder.
const (
	headerTimeout = 5 * time.Second
	writeTimeout  = 30 * time.Second
	idleTimeout   = 2 * time.Minute
)

// Handler answers all paths of the port.
type Handler struct {
	Health  *Health
	Metrics prometheus.Gatherer
	// Journal is what explanations are read from.
	Journal explain.Journal
	Version string
	// Hosts are further names that the port is asked under (contract.HostAllowed).
	Hosts contract.HostNames
	// Reload makes the loop read the policy now.
	Reload func(ctx context.Context) (govern.ReloadResult, error)
}

// Server makes an HTTP server of the handler; addr is host:port.
func (h Handler) Server(addr string) *http.Server {
	return &http.Server{
		Addr: addr, Handler: h.Mux(), ReadHeaderTimeout: headerTimeout, ReadTimeout: headerTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
	}
}

// Mux routes the paths.
func (h Handler) Mux() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+contract.PathHealth, h.health)
	mux.HandleFunc("GET "+contract.PathReady, h.ready)
	mux.HandleFunc("GET "+PathConditions, h.conditions)
	mux.HandleFunc("GET "+PathExplain, h.explain)
	mux.HandleFunc("POST "+PathReload, h.reload)
	mux.HandleFunc("GET "+contract.PathVersion, h.version)
	mux.Handle("GET "+contract.PathMetrics, promhttp.HandlerFor(h.Metrics, promhttp.HandlerOpts{}))
	return h.checkHost(checkQuery(mux))
}

// checkHost refuses a request under a name that a site of somebody else may have given this machine's address.
func (h Handler) checkHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !contract.HostAllowed(r.Host, h.Hosts) {
			writeProblem(w, http.StatusMisdirectedRequest, contract.HostRefused)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// parameters are those of each path that takes any.
var parameters = map[string][]string{PathExplain: {"tick", "container", "format"}}

// checkQuery refuses a query string with a parameter that would be ignored: the answer would be to another question.
func checkQuery(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, bad := contract.ParseQueryOf(r.URL.RawQuery, parameters[r.URL.Path]...); len(bad) > 0 {
			writeProblem(w, http.StatusBadRequest, "the query string is wrong", bad...)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (h Handler) health(w http.ResponseWriter, _ *http.Request) {
	if err := h.Health.alive(); err != nil {
		writeProblem(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (h Handler) ready(w http.ResponseWriter, _ *http.Request) {
	body, code := h.Health.ready()
	writeJSON(w, code, body)
}

func (h Handler) conditions(w http.ResponseWriter, _ *http.Request) {
	body, _ := h.Health.ready()
	if body.Conditions == nil {
		body.Conditions = []govern.Condition{}
	}
	writeJSON(w, http.StatusOK, body.Conditions)
}

func (h Handler) version(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"service": "gestor-manager", "version": h.Version})
}

// explainQuery are the parameters of /explain.
type explainQuery struct {
	container string
	tick      uint64 // 0 is the last one
	text      bool
}

// parseExplainQuery reads the parameters of a request, and lists the wrong ones.
func parseExplainQuery(r *http.Request) (q explainQuery, bad []contract.FieldError) {
	values := r.URL.Query() // checkQuery has parsed it

	q = explainQuery{container: values.Get("container"), text: strings.HasPrefix(r.Header.Get("Accept"), "text/plain")}
	switch format := values.Get("format"); format {
	case "":
	case "json", "text":
		q.text = format == "text"
	default:
		bad = append(bad, contract.FieldError{Field: "format", Reason: "want json or text"})
	}

	if n := values.Get("tick"); n != "" {
		// Ticks are numbered from 1: 0 stands for the last one.
		var err error
		if q.tick, err = strconv.ParseUint(n, 10, 64); err != nil || q.tick == 0 {
			bad = append(bad, contract.FieldError{Field: "tick", Reason: "want a number from 1, as in /explain?tick=310"})
		}
		if q.container != "" {
			bad = append(bad, contract.FieldError{Field: "tick", Reason: "goes without container: ask for one or the other"})
		}
	}
	return q, bad
}

// explain answers from the journal: ?tick=N, ?container=NAME or nothing (the last tick), as JSON, or as a table with format=text or
// Accept: text/plain. Of the last tick under a policy of version 2 the plan is in memory too: that is the answer where the journal does
// not reach as far, for want of room.
func (h Handler) explain(w http.ResponseWriter, r *http.Request) {
	q, bad := parseExplainQuery(r)
	if len(bad) > 0 {
		writeProblem(w, http.StatusBadRequest, "the query string is wrong", bad...)
		return
	}

	document, table, err := h.explained(q)

	// Errors are answered before the table begins: with its first byte the status is sent.
	switch {
	case errors.Is(err, explain.ErrNotFound):
		writeProblem(w, http.StatusNotFound, err.Error())
	case errors.Is(err, explain.ErrAmbiguous):
		writeProblem(w, http.StatusConflict, err.Error())
	case err != nil:
		writeProblem(w, http.StatusInternalServerError, err.Error())
	case q.text:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_ = table(w) // the client went away: nobody is left to answer
	default:
		writeJSON(w, http.StatusOK, document)
	}
}

// explained is what was asked for, and how it is written for people.
func (h Handler) explained(q explainQuery) (document any, table func(io.Writer) error, err error) {
	view := h.Health.rules()
	isLast := view != nil && (q.tick == 0 || q.tick == view.Plan.Tick)

	if q.container != "" {
		history, err := h.Journal.Container(q.container)
		if isLast && (err != nil || history.Explanation == nil) {
			if one, ok := view.Find(q.container); ok {
				return one, func(w io.Writer) error { return writeOne(w, one) }, nil
			}
		}
		return history, history.Table, err
	}

	report, err := h.report(q, view)
	if report == nil && isLast && (err == nil || errors.Is(err, explain.ErrNotFound)) {
		return view.Plan, view.Table, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return report, report.Table, nil
}

// report is that on a tick as the journal has it, nil where it does not reach to the last one, of which the view is.
func (h Handler) report(q explainQuery, view *planview.View) (explain.Report, error) {
	if q.tick != 0 {
		return h.Journal.Tick(q.tick)
	}

	report, err := h.Journal.Last()
	if err != nil || view == nil {
		return report, err
	}
	if of, ok := report.(explain.RulesReport); !ok || of.Tick < view.Plan.Tick {
		return nil, nil
	}
	return report, nil
}

// writeOne says in a line what the rules say of one container.
func writeOne(w io.Writer, one planview.One) error {
	name := contract.Printable(cmp.Or(one.Verdict.Name, one.Verdict.ID))
	if one.Ruling.Rule != "" {
		_, err := fmt.Fprintf(w, "%s: %s, by rule %s: %s\n", name, one.Ruling.Step, contract.Printable(one.Ruling.Rule), one.Text)
		return err
	}
	_, err := fmt.Fprintf(w, "%s: %s: %s\n", name, one.Ruling.Step, one.Text)
	return err
}

// reload answers 200 when the policy that is there is in force, 422 when it was refused.
func (h Handler) reload(w http.ResponseWriter, r *http.Request) {
	if !isLocal(r) {
		writeProblem(w, http.StatusForbidden, "a reload is asked for on the manager's own machine: scripts/gestor reload")
		return
	}

	// The policy is read between two ticks: the answer comes when that was done.
	taken, err := h.Reload(r.Context())
	switch {
	case err != nil:
		writeProblem(w, http.StatusServiceUnavailable, "the loop does not answer: "+err.Error())
	case taken.Refused != "":
		writeJSON(w, http.StatusUnprocessableEntity, taken)
	default:
		writeJSON(w, http.StatusOK, taken)
	}
}

// isLocal says that a program on the same machine, in the same container, asks by itself: not the network, and not a
// browser on behalf of some page, which says so in one of these headers (https://fetch.spec.whatwg.org/#origin-header).
func isLocal(r *http.Request) bool {
	if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
		return false
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}

	if from.Addr().Unmap().IsLoopback() {
		return true
	}

	// A port that is bound to one address only is not reached under a loopback one.
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && local.AddrPort().Addr().Unmap() == from.Addr().Unmap()
}

func writeJSON(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", contract.MediaJSON)
	w.WriteHeader(code)
	encode(w, body)
}

func writeProblem(w http.ResponseWriter, code int, detail string, fields ...contract.FieldError) {
	w.Header().Set("Content-Type", contract.MediaProblem)
	w.WriteHeader(code)
	encode(w, contract.ErrorBody{
		Type: "about:blank", Title: http.StatusText(code), Status: code, Detail: detail, Errors: fields,
	})
}

// encode writes JSON as it is read by people, too: the next step of an error may be an address.
func encode(w io.Writer, body any) {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	_ = out.Encode(body) // the client went away: nobody is left to answer
}
