package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"

	"gestor.local/contract"

	"gestor.local/logs/internal/chart"
	"gestor.local/logs/internal/chart/echarts"
	"gestor.local/logs/internal/chart/png"
	"gestor.local/logs/internal/respond"
)

// chartHandler is GET and POST /v1/charts and GET /v1/charts/{name}.{html,json,png}.
type chartHandler struct {
	Deps
	*Assets
	builder *chartBuilder
	// renderSlots bounds the pictures drawn at once: each takes a core and some 20 MiB for a moment.
	renderSlots *respond.Slots
	fileLock    *sync.Mutex // held by whoever writes the files of the data folder
}

// PathGraficar is the course's name for POST /v1/charts.
const PathGraficar = "/graficar"

func newChartHandler(d Deps, a *Assets, b *chartBuilder) chartHandler {
	return chartHandler{Deps: d, Assets: a, builder: b, renderSlots: respond.NewSlots(2), fileLock: new(sync.Mutex)}
}

func (h chartHandler) register(r gin.IRouter) {
	r.GET(contract.PathCharts, respond.NoParams, h.list)
	r.POST(contract.PathCharts, h.writeFiles)
	r.GET(PathGraficar, h.writeFiles)
	r.GET(contract.PathCharts+"/:file", h.get)
}

// list names the charts and how to ask for them.
func (h chartHandler) list(c *gin.Context) {
	respond.JSON(c, gin.H{
		"charts": chart.Catalogue(), "formats": []string{"html", "json", "png"}, "ranges": ranges(),
		"parameters": []string{"range", "since", "until", "host", "class", "image", "container", "points", "theme", "width", "height", "view"},
	})
}

// chartRequest is what one chart is asked for with.
type chartRequest struct {
	chart.Query
	theme         chart.Theme
	width, height int
	view          string
}

func (h chartHandler) parse(c *gin.Context) (chartRequest, bool) {
	p := respond.NewParams(c.Request, h.builder.from.Now())
	r := chartRequest{
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

func (h chartHandler) get(c *gin.Context) {
	name, format, _ := strings.Cut(c.Param("file"), ".")
	r, ok := h.parse(c)
	if !ok {
		return
	}

	m, ok, err := h.builder.model(c.Request.Context(), r.Query, name)
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
		h.html(c, m, r)
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

func (h chartHandler) json(c *gin.Context, m chart.Model, r chartRequest) {
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

func (h chartHandler) png(c *gin.Context, m chart.Model, r chartRequest) {
	w, height := imageSize(m, r)

	if h.renderSlots.Acquire(c.Request.Context()) != nil {
		c.Abort() // the client has gone
		return
	}
	defer h.renderSlots.Release()

	var b bytes.Buffer
	if err := png.Write(&b, m, r.theme, w, height); err != nil {
		respond.Problem(c, http.StatusInternalServerError, err.Error())
		return
	}
	respond.Body(c, "image/png", b.Bytes())
}

func imageSize(m chart.Model, r chartRequest) (width, height int) {
	width, height = png.DefaultSize(m)
	if r.width > 0 {
		width = r.width
	}
	if r.height > 0 {
		height = r.height
	}
	return width, height
}

// html is one chart as a page of its own.
func (h chartHandler) html(c *gin.Context, m chart.Model, r chartRequest) {
	body, err := h.chartPage(m, r.theme, false)
	if err != nil {
		respond.Problem(c, http.StatusInternalServerError, err.Error())
		return
	}
	c.Header("Content-Security-Policy", pageCSP)
	respond.Body(c, mediaHTML, body)
}

const mediaHTML = "text/html; charset=utf-8"

// pageCSP lets a page use what this service serves and nothing else, and nobody frame it.
const pageCSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
