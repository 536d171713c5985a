package page

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"gestor.local/logs/internal/chart"
	"gestor.local/logs/internal/chart/png"
	"gestor.local/logs/internal/respond"
	"gestor.local/wal/disk"
)

// chartPage renders a page of one chart. An inline one needs nothing but itself: library, script, style and data are in
// it, and its own policy allows exactly these two scripts and this style.
func (a *Assets) chartPage(m chart.Model, t chart.Theme, inline bool) ([]byte, error) {
	doc, err := json.Marshal(documentOf(m, t))
	if err != nil {
		return nil, fmt.Errorf("write chart %s: %w", m.Name, err)
	}

	view := map[string]any{
		"Title": m.Title, "Model": m, "Theme": string(t), "Inline": inline,
		"Doc":       template.JS(doc), // json.Marshal escapes <, > and &: it cannot end the element
		"Legend":    m.Legend(t),
		"ECharts":   template.JS(a.byName[assetECharts].raw),
		"App":       template.JS(a.byName[assetApp].raw),
		"StyleText": template.CSS(a.byName[assetStyle].raw),
		"Policy": template.HTMLAttr(`content="default-src 'none'; script-src ` + a.cspHash(assetECharts) + " " + a.cspHash(assetApp) +
			"; style-src " + a.cspHash(assetStyle) + `; img-src data:; base-uri 'none'"`),
	}

	var b bytes.Buffer
	if err := a.templates.ExecuteTemplate(&b, "chart.html", view); err != nil {
		return nil, fmt.Errorf("write page of chart %s: %w", m.Name, err)
	}
	return b.Bytes(), nil
}

// writeFiles draws every chart into the data folder: self-contained pages and pictures of all records, or of the range that
// is asked for. It is the manager's last request, and GET /graficar.
func (h chartHandler) writeFiles(c *gin.Context) {
	p := respond.NewParams(c.Request, h.builder.from.Now())
	whole := !slices.ContainsFunc([]string{"range", "since", "until"}, p.Values.Has)
	r := chartRequest{Query: chartQuery(p), theme: chart.Theme(p.Choice("theme", string(chart.ThemeLight), string(chart.ThemeLight), string(chart.ThemeDark)))}
	if bad := p.Problems(); bad != nil {
		respond.BadParams(c, bad)
		return
	}

	ctx := c.Request.Context()
	if whole {
		first, err := h.builder.oldestTime(ctx)
		if err != nil {
			respond.Error(c, err)
			return
		}
		if !first.IsZero() {
			r.Since = first
		}
	}

	models, err := h.builder.all(ctx, r.Query)
	if err != nil {
		respond.Error(c, err)
		return
	}

	written, err := h.replaceFiles(models, r.theme)
	if err != nil {
		respond.Error(c, err)
		return
	}

	c.JSON(http.StatusOK, gin.H{"folder": "charts", "files": written, "since": r.Since.UTC(), "until": r.Until.UTC()})
}

// replaceFiles replaces the files one by one: a reader sees the old or the new one, never a part.
func (h chartHandler) replaceFiles(models map[string]chart.Model, t chart.Theme) ([]string, error) {
	// Requests at the same time would write to one temporary file.
	h.fileLock.Lock()
	defer h.fileLock.Unlock()

	dir := filepath.Join(h.DataDir, "charts")
	if err := (disk.OS{}).Mkdir(dir); err != nil {
		return nil, fmt.Errorf("charts: %w: see that the data folder can be written", err)
	}

	var written []string
	for _, name := range chart.Names() {
		m := models[name]
		page, err := h.chartPage(m, t, true)
		if err != nil {
			return written, err
		}

		var picture bytes.Buffer
		w, height := png.DefaultSize(m)
		if err := png.Write(&picture, m, t, w, height); err != nil {
			return written, err
		}

		for file, body := range map[string][]byte{name + ".html": page, name + ".png": picture.Bytes()} {
			if err := disk.WriteFile(disk.OS{}, filepath.Join(dir, file), body); err != nil {
				return written, fmt.Errorf("charts: %w: see that the data folder can be written and has space", err)
			}
			written = append(written, file)
		}
	}

	slices.Sort(written)
	return written, nil
}

// removeLeftovers removes the temporary files of a process that was killed meanwhile, and returns the number of files. Nobody
// else writes there: the store has the lock of the data folder.
func removeLeftovers(dataDir string) (removed int, err error) {
	dir := filepath.Join(dataDir, "charts")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}

	for _, e := range entries {
		if !isLeftover(e.Name()) {
			continue
		}

		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return removed, fmt.Errorf("charts: remove a leftover: %w", err)
		}
		removed++
	}
	return removed, err
}

// isLeftover says whether a name is that of a chart's temporary file, or of one of release 0.2: .memory.html.123.
func isLeftover(name string) bool {
	file, temporary := strings.CutSuffix(name, disk.TempExt)
	if !temporary {
		file, temporary = strings.CutPrefix(strings.TrimSuffix(name, filepath.Ext(name)), ".")
	}
	ext := filepath.Ext(file)
	return temporary && (ext == ".html" || ext == ".png") && slices.Contains(chart.Names(), strings.TrimSuffix(file, ext))
}
