package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"gestor.local/contract"

	"gestor.local/logs/internal/chart"
	"gestor.local/logs/internal/chart/echarts"
	"gestor.local/logs/internal/chart/png"
	"gestor.local/logs/internal/respond"
)

// charts is GET and POST /v1/charts and GET /v1/charts/{name}.{html,json,png}.
type charts struct {
	Deps
	*Assets
	studio *studio
	// brush bounds the pictures drawn at once: each takes a core and some 20 MiB for a moment.
	brush *respond.Slots
}

// PathGraficar is the course's name for POST /v1/charts.
const PathGraficar = "/graficar"

func newCharts(d Deps, a *Assets, s *studio) charts {
	return charts{Deps: d, Assets: a, studio: s, brush: respond.NewSlots(2)}
}

func (h charts) register(r gin.IRouter) {
	r.GET(contract.PathCharts, respond.NoParams, h.list)
	r.POST(contract.PathCharts, h.files)
	r.GET(PathGraficar, h.files)
	r.GET(contract.PathCharts+"/:file", h.one)
}

// list names the charts and how to ask for them.
func (h charts) list(c *gin.Context) {
	respond.JSON(c, gin.H{
		"charts": chart.Catalogue(), "formats": []string{"html", "json", "png"}, "ranges": ranges(),
		"parameters": []string{"range", "since", "until", "host", "class", "image", "container", "points", "theme", "width", "height", "view"},
	})
}

// request is what one chart is asked for with.
type request struct {
	chart.Query
	theme         chart.Theme
	width, height int
	view          string
}

func (h charts) parse(c *gin.Context) (request, bool) {
	p := respond.NewParams(c.Request, h.studio.from.Now())
	r := request{
		Query: chartQuery(p), theme: chart.Theme(p.Choice("theme", string(chart.ThemeLight), string(chart.ThemeLight), string(chart.ThemeDark))),
		width:  p.Int("width", 0, png.MinPixels, png.MaxPixels),
		height: p.Int("height", 0, png.MinPixels, png.MaxPixels),
		view:   p.Choice("view", "option", "option", "model"),
	}
	if bad := p.Problems(); bad != nil {
		respond.BadParams(c, bad)
		return r, false
	}
	return r, true
}

func (h charts) one(c *gin.Context) {
	name, format, _ := strings.Cut(c.Param("file"), ".")
	r, ok := h.parse(c)
	if !ok {
		return
	}
	m, ok, err := h.studio.model(c.Request.Context(), r.Query, name)
	switch {
	case err != nil:
		respond.Error(c, err)
		return
	case !ok:
		respond.Problem(c, http.StatusNotFound, "no such chart; the charts are "+strings.Join(chart.Names(), ", "))
		return
	}
	switch format {
	case "json":
		h.json(c, m, r)
	case "png":
		h.png(c, m, r)
	case "html":
		h.page(c, m, r)
	default:
		respond.Problem(c, http.StatusNotFound, "a chart comes as .html, .json or .png")
	}
}

// document is a chart as the page's script takes it.
type document struct {
	chart.Model
	// Panes hides the model's: the option holds the same points.
	Panes  []echarts.PaneHint `json:"panes"`
	Legend []chart.LegendRow  `json:"legend"`
	Table  chart.Table        `json:"table"`
	Option map[string]any     `json:"option"`
}

func documentOf(m chart.Model, t chart.Theme) document {
	return document{Model: m, Panes: echarts.Hints(m), Legend: m.Legend(t), Table: m.Table(), Option: echarts.Option(m, t)}
}

func (h charts) json(c *gin.Context, m chart.Model, r request) {
	var v any = documentOf(m, r.theme)
	if r.view == "model" {
		v = m
	}
	body, err := json.Marshal(v)
	if err != nil {
		respond.Problem(c, http.StatusInternalServerError, fmt.Sprintf("write chart %s: %v", m.Name, err))
		return
	}
	respond.Body(c, contract.MediaJSON, append(body, '\n'))
}

func (h charts) png(c *gin.Context, m chart.Model, r request) {
	w, height := size(m, r)
	if h.brush.Acquire(c.Request.Context()) != nil {
		c.Abort() // the client has gone
		return
	}
	defer h.brush.Release()
	var b bytes.Buffer
	if err := png.Write(&b, m, r.theme, w, height); err != nil {
		respond.Problem(c, http.StatusInternalServerError, err.Error())
		return
	}
	respond.Body(c, "image/png", b.Bytes())
}

func size(m chart.Model, r request) (width, height int) {
	width, height = png.DefaultSize(m)
	if r.width > 0 {
		width = r.width
	}
	if r.height > 0 {
		height = r.height
	}
	return width, height
}

// page is one chart as a page of its own.
func (h charts) page(c *gin.Context, m chart.Model, r request) {
	body, err := h.chartPage(m, r.theme, false)
	if err != nil {
		respond.Problem(c, http.StatusInternalServerError, err.Error())
		return
	}
	c.Header("Content-Security-Policy", policyOfPages)
	respond.Body(c, mediaHTML, body)
}

const mediaHTML = "text/html; charset=utf-8"

// policyOfPages lets a page use what this service serves and nothing else, and nobody frame it.
const policyOfPages = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
