package page

import (
	"bytes"
	"context"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"gestor.local/contract"

	"gestor.local/logs/internal/chart"
	"gestor.local/logs/internal/respond"
)

// pageHandler is GET / and the part of it that the page's script replaces on every tick.
type pageHandler struct {
	Deps
	*Assets
	from RecordSource
}

func (h pageHandler) register(r gin.IRouter) {
	r.GET("/", h.getPage)
	r.GET("/now", h.getNow)
	r.GET("/favicon.ico", func(c *gin.Context) { c.Redirect(http.StatusMovedPermanently, h.byName[assetIcon].url) })
}

// pageView is what page.html shows.
type pageView struct {
	pageData
	Charts  []chart.Info
	Ranges  []string
	Range   string
	Classes []string
	Version string
}

func (h pageHandler) getPage(c *gin.Context) {
	h.render(c, "page.html")
}

// getNow is the page's upper part and tables alone.
func (h pageHandler) getNow(c *gin.Context) {
	h.render(c, "now.html")
}

func (h pageHandler) render(c *gin.Context, name string) {
	values, ok := pageParams(c)
	if !ok {
		return
	}

	ctx, cancel := context.WithTimeout(c.Request.Context(), respond.QueryTimeout)
	defer cancel()
	p, err := readPageData(ctx, h.from, values.Get("host"))
	if err != nil {
		respond.Error(c, err)
		return
	}

	if h.Store != nil {
		p.addOwnConditions(h.Store.Conditions())
	}

	view := pageView{
		pageData: p, Charts: chart.Catalogue(), Ranges: ranges(), Range: defaultRange,
		Classes: []string{"low", "high"}, Version: h.Version,
	}

	var b bytes.Buffer
	if err := h.templates.ExecuteTemplate(&b, name, view); err != nil {
		respond.Problem(c, http.StatusInternalServerError, "write the page: "+err.Error())
		return
	}

	c.Header("Content-Security-Policy", pageCSP)
	respond.Body(c, mediaHTML, b.Bytes())
}

// pageParams reads the parameters of a page and answers 400 where one is wrong. All but host are for the page's script, which
// asks for the charts with them; they are checked there.
func pageParams(c *gin.Context) (values url.Values, ok bool) {
	values, bad := contract.ParseQueryOf(c.Request.URL.RawQuery,
		"host", "range", "since", "until", "class", "image", "zoom", "theme")
	if bad != nil {
		respond.BadParams(c, bad)
	}
	return values, bad == nil
}
