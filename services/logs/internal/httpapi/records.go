package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"gestor.local/contract"

	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/respond"
)

// records is GET /v1/records, GET /v1/records/{seq} and GET /v1/decisions.
type records struct {
	Deps
	slots *respond.Slots // of streams
}

// maxStreams bounds the streams at once: each reads as fast as its client, for as long as there are records.
const maxStreams = 32

func newRecords(d Deps) records { return records{Deps: d, slots: respond.NewSlots(maxStreams)} }

func (r records) register(g gin.IRouter) {
	g.GET(contract.PathRecords, r.list)
	g.GET(contract.PathRecords+"/:seq", respond.NoParams, r.get)
	g.GET(contract.PathDecisions, r.decisions)
}

func (r records) list(c *gin.Context) {
	p := respond.NewParams(c.Request, r.Query.Now())
	r.serve(c, p, query.Query{Filter: p.Filter()})
}

// decisions is the audit trail: what was decided on which container, and the numbers it was decided on.
func (r records) decisions(c *gin.Context) {
	p := respond.NewParams(c.Request, r.Query.Now())
	q := query.Query{Filter: p.Filter(), Verdicts: p.List("verdict"), Reasons: p.List("reason")}
	if len(q.Kinds) > 0 {
		p.Reject("kind", "is always decision here")
	}
	q.Kinds = []contract.Kind{contract.KindDecision}
	r.serve(c, p, q)
}

// serve gives one page as JSON, or streams every match as NDJSON or CSV.
func (r records) serve(c *gin.Context, p *respond.Params, q query.Query) {
	q.Order = orderOf(p.Choice("order", "desc", "asc", "desc"))
	format := p.Choice("format", acceptedFormat(c), "json", "ndjson", "csv")
	limit := p.Int("limit", 0, 1, contract.MaxPageRecords)
	fields := p.Fields()

	// The cursor is the last record of the page before: the next one lies behind it in the order that is asked for.
	if text := p.One("cursor"); text != "" {
		seq, err := parseCursor(text, p.Values)
		if err != nil {
			p.Reject("cursor", err.Error())
		}
		if q.Order == query.Newest {
			q.Before = seq
		} else {
			q.After = seq
		}
	}

	if bad := p.Problems(); bad != nil {
		respond.BadParams(c, bad)
		return
	}

	if format != "json" {
		r.stream(c, q, format, limit, fields)
		return
	}
	if limit == 0 {
		limit = contract.DefaultPage
	}
	r.listPage(c, q, p.Values, limit, fields)
}

// acceptedFormat is the format that the Accept header asks for.
func acceptedFormat(c *gin.Context) string {
	accept := c.GetHeader("Accept")
	switch {
	case strings.Contains(accept, contract.MediaNDJSON):
		return "ndjson"
	case strings.Contains(accept, contract.MediaCSV):
		return "csv"
	default:
		return "json"
	}
}

// pageBytes ends a page before its limit: it is in memory as a whole.
const pageBytes = 8 << 20

// listPage answers one page with a link to the next. asked are the parameters of the request.
func (r records) listPage(c *gin.Context, q query.Query, asked url.Values, limit int, fields []string) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), respond.QueryTimeout)
	defer cancel()

	var body bytes.Buffer
	body.WriteString(`{"records":[`)

	// One match more than fits is looked for, so that a link leads on only where something is.
	n, last, more := 0, uint64(0), false
	err := r.Query.Lines(ctx, q, func(l query.Line) error {
		if n == limit || body.Len() >= pageBytes {
			more = true
			return query.ErrStop
		}

		if n > 0 {
			body.WriteByte(',')
		}
		body.Write(project(l.JSON, fields))
		n, last = n+1, l.Seq
		return nil
	})
	if err != nil {
		respond.Error(c, err)
		return
	}

	body.WriteByte(']')
	if more {
		next := cursor(last, asked)
		body.WriteString(`,"next":"` + next + `"`)
		following := maps.Clone(asked)
		following.Set("cursor", next)
		c.Header("Link", "<"+c.Request.URL.Path+"?"+following.Encode()+`>; rel="next"`)
	}

	body.WriteString("}\n")
	respond.Body(c, contract.MediaJSON, body.Bytes())
}

// get answers a single record with links to what it belongs to.
func (r records) get(c *gin.Context) {
	seq, err := strconv.ParseUint(c.Param("seq"), 10, 64)
	if err != nil || seq == 0 {
		respond.Problem(c, http.StatusBadRequest, "a sequence number is a whole number from 1")
		return
	}

	raw, ok, err := r.Query.Get(c.Request.Context(), seq)
	switch {
	case err != nil:
		respond.Error(c, err)
		return
	case !ok:
		respond.Problem(c, http.StatusNotFound, "no record has this number, or retention has deleted it")
		return
	}

	respond.JSON(c, map[string]any{"record": json.RawMessage(raw), "links": links(raw)})
}

// links leads from a record to those of its tick and its container.
func links(raw []byte) map[string]string {
	var of struct {
		Container string `json:"container"`
		Tick      uint64 `json:"tick"`
		Host      string `json:"host"`
	}
	out := map[string]string{}
	if json.Unmarshal(raw, &of) != nil {
		return out
	}

	// A tick is not indexed: it is found by its text in the records of its host.
	if of.Tick > 0 {
		q := encodeQuery("host", of.Host, "q", `"tick":`+strconv.FormatUint(of.Tick, 10)+",")
		out["tick"] = contract.PathRecords + "?" + q
	}
	if of.Container != "" {
		out["container"] = contract.PathContainers + "/" + url.PathEscape(of.Container) + "?" + encodeQuery("host", of.Host)
		out["records"] = contract.PathRecords + "?" + encodeQuery("container", of.Container)
	}
	return out
}
