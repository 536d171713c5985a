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

// page is GET / and the part of it that the page's script replaces on every tick.
type page struct {
	Deps
	*Assets
	from scanner
}

func (h page) register(r gin.IRouter) {
	r.GET("/", h.whole)
	r.GET("/now", h.now)
	r.GET("/favicon.ico", func(c *gin.Context) { c.Redirect(http.StatusMovedPermanently, h.byName[assetIcon].path) })
}

// pageView is what page.html shows.
type pageView struct {
	present
	Charts  []chart.Info
	Ranges  []string
	Range   string
	Classes []string
	Version string
}

func (h page) whole(c *gin.Context) {
	h.render(c, "page.html")
}

// now is the page's upper part and tables alone.
func (h page) now(c *gin.Context) {
	h.render(c, "now.html")
}

func (h page) render(c *gin.Context, name string) {
	values, ok := pageParams(c)
	if !ok {
		return
	}

	ctx, cancel := context.WithTimeout(c.Request.Context(), respond.QueryTimeout)
	defer cancel()
	p, err := readPresent(ctx, h.from, values.Get("host"))
	if err != nil {
		respond.Error(c, err)
		return
	}
	if h.Store != nil {
		p.tellOwn(h.Store.Conditions())
	}
	view := pageView{
		present: p, Charts: chart.Catalogue(), Ranges: ranges(), Range: defaultRange,
		Classes: []string{"low", "high"}, Version: h.Version,
	}
	var b bytes.Buffer
	if err := h.pages.ExecuteTemplate(&b, name, view); err != nil {
		respond.Problem(c, http.StatusInternalServerError, "write the page: "+err.Error())
		return
	}
	c.Header("Content-Security-Policy", policyOfPages)
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
