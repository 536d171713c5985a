package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"gestor.local/contract"

	"gestor.local/logs/internal/chart"
	"gestor.local/logs/internal/respond"
)

//go:embed assets
var embedded embed.FS

// The files of the page. ECharts is vendored whole, with its licence; its hash is checked by a test.
const (
	assetECharts = "echarts-5.6.0/echarts.min.js"
	assetApp     = "app.js"
	assetStyle   = "page.css"
	assetIcon    = "icon.svg"
)

// Assets are the page's static files, compressed once, under names that change with their content, so that browsers
// keep them for ever.
type Assets struct {
	byName    map[string]*asset // by the name in the repository
	byPath    map[string]*asset // by the name in a URL
	templates *template.Template
}

type asset struct {
	url, media   string
	raw, gzipped []byte
}

// LoadAssets reads, compresses and names the embedded files and parses the templates.
func LoadAssets() (*Assets, error) {
	a := &Assets{byName: map[string]*asset{}, byPath: map[string]*asset{}}
	for name, media := range map[string]string{
		assetECharts: "text/javascript; charset=utf-8", assetApp: "text/javascript; charset=utf-8",
		assetStyle: "text/css; charset=utf-8", assetIcon: "image/svg+xml",
	} {
		raw, err := fs.ReadFile(embedded, "assets/"+name)
		if err != nil {
			return nil, fmt.Errorf("assets: %w", err)
		}
		gzipped, err := gzipBytes(raw)
		if err != nil {
			return nil, fmt.Errorf("assets: compress %s: %w", name, err)
		}

		// Part of the hash stands in the name, so that another content is another URL.
		sum := sha256.Sum256(raw)
		base, hasExt := strings.CutSuffix(path.Base(name), path.Ext(name))
		if !hasExt {
			base = path.Base(name)
		}
		file := &asset{url: "/assets/" + base + "." + hex.EncodeToString(sum[:5]) + path.Ext(name), media: media, raw: raw, gzipped: gzipped}
		a.byName[name], a.byPath[file.url] = file, file
	}

	var err error
	a.templates, err = template.New("").Funcs(a.funcs()).ParseFS(embedded, "assets/*.html")
	if err != nil {
		return nil, fmt.Errorf("assets: %w", err)
	}
	return a, nil
}

func gzipBytes(raw []byte) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}

	if _, err := z.Write(raw); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// urlOf is the path of a file for the templates.
func (a *Assets) urlOf(name string) (string, error) {
	if file := a.byName[name]; file != nil {
		return file.url, nil
	}
	return "", fmt.Errorf("assets: no file %q", name)
}

// funcs are what the templates call. All of them return text; html/template escapes it.
func (a *Assets) funcs() template.FuncMap {
	return template.FuncMap{
		"asset":  a.urlOf,
		"bytes":  func(kb uint64) string { return chart.FormatValue(chart.UnitBytes, float64(kb)*1024) },
		"cpu":    func(milli uint64) string { return chart.FormatValue(chart.UnitCPU, float64(milli)/10) },
		"age":    func(us uint64) string { return chart.FormatDuration(time.Duration(us) * time.Microsecond) },
		"length": chart.FormatDuration,
		"clock":  func(t time.Time) string { return t.UTC().Format(time.TimeOnly) },
		"stamp":  func(t time.Time) string { return t.UTC().Format(time.DateTime) },
		"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"short":  func(id string) string { return id[:min(12, len(id))] },
		"reason": chart.ReasonText,
		"source": sourceText,
		"plain":  chart.Sanitize,
		"prose":  func(s string) string { return chart.SanitizeText(s, 400) },
		"image":  chart.ShortImage,
		"info":   func(name, title, about string) chart.Info { return chart.Info{Name: name, Title: title, About: about} },
	}
}

// sourceText says where the figures come from.
func sourceText(source string) string {
	switch source {
	case contract.SourceModule:
		return "kernel module"
	case contract.SourceProcfs:
		return "procfs"
	default:
		return "unknown source"
	}
}

// cspHash is a file's source expression for a Content-Security-Policy.
func (a *Assets) cspHash(name string) string {
	sum := sha256.Sum256(a.byName[name].raw)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func (a *Assets) register(r gin.IRouter) {
	r.GET("/assets/*file", a.serve)
	r.HEAD("/assets/*file", a.serve)
}

func (a *Assets) serve(c *gin.Context) {
	file := a.byPath[c.Request.URL.Path]
	if file == nil {
		respond.Problem(c, http.StatusNotFound, "no such file")
		return
	}

	c.Header("Cache-Control", "public, max-age=31536000, immutable")
	c.Header("Vary", "Accept-Encoding")

	body := file.raw
	if respond.AcceptsGzip(c) {
		c.Header("Content-Encoding", "gzip")
		body = file.gzipped
	}

	c.Data(http.StatusOK, file.media, body)
}
