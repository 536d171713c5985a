// Package png draws charts as pictures: the same model as in the browser, in gonum/plot's strokes and glyphs. It is the only
// importer of that library.
//
// Names and labels inside a model are hostile data; here they are drawn as text, character by character.
package png

import (
	"fmt"
	"image/color"
	"io"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	imagefont "golang.org/x/image/font"

	"gestor.local/logs/internal/chart"
)

// Limits of a picture's sides in pixels: below nothing can be read, above a request costs too much.
const (
	MinPixels = 200
	MaxPixels = 4000
)

// DefaultSize is the size of a chart's picture in pixels: wide enough for a README, high enough for its panes.
func DefaultSize(m chart.Model) (width, height int) {
	rows := map[int]int{}
	most := 1
	for _, p := range m.Panes {
		rows[p.Column]++
		most = max(most, rows[p.Column])
	}
	return 1200, 330 + 200*most
}

// dpi makes a point 4/3 of a pixel, as CSS has it.
const dpi = 96

// Write draws the model as a PNG. The picture is a function of its arguments alone: same model, same bytes.
func Write(w io.Writer, m chart.Model, t chart.Theme, width, height int) error {
	if min(width, height) < MinPixels || max(width, height) > MaxPixels {
		return fmt.Errorf("chart: %d × %d pixels: each side must be %d to %d", width, height, MinPixels, MaxPixels)
	}

	img := vgimg.NewWith(
		vgimg.UseWH(pixels(width), pixels(height)), vgimg.UseDPI(dpi),
		vgimg.UseBackgroundColor(rgba(chart.PaletteOf(t).Background, 1)),
	)

	p := &renderer{pal: chart.PaletteOf(t), m: m}
	p.draw(draw.New(img))
	if _, err := (vgimg.PngCanvas{Canvas: img}).WriteTo(w); err != nil {
		return fmt.Errorf("chart: write picture of %s: %w", m.Name, err)
	}
	return nil
}

func pixels(n int) vg.Length { return vg.Length(n) * vg.Inch / dpi }

// renderer draws one model on a canvas, from the top down: title, summary, panes, legend.
type renderer struct {
	pal chart.Palette
	m   chart.Model
}

const (
	margin  = vg.Length(14)
	sizeH1  = 15
	sizeH2  = 9.5
	sizeTxt = 8.5
)

func (p *renderer) draw(c draw.Canvas) {
	c = draw.Crop(c, margin, -margin, margin, -margin)
	head := p.style(sizeH1, p.pal.Text)
	head.Font.Weight = imagefont.WeightBold
	c.FillText(head, vg.Point{X: c.Min.X, Y: c.Max.Y - 14}, p.m.Title)

	small := p.style(sizeTxt, p.pal.Muted)
	right := small
	right.XAlign = draw.XRight
	c.FillText(right, vg.Point{X: c.Max.X, Y: c.Max.Y - 12}, p.span())
	c.Max.Y -= 26

	// Three lines at most: a picture is looked at, and the page has the whole sentence.
	about := p.m.Summary
	if p.m.Empty != "" {
		about = p.m.Empty
	}

	for i, line := range wrap(small, about, c.Max.X-c.Min.X) {
		if i == 3 {
			break
		}
		c.FillText(small, vg.Point{X: c.Min.X, Y: c.Max.Y - 8}, line)
		c.Max.Y -= 12
	}

	c.Max.Y -= 8
	if p.m.Empty != "" {
		p.emptyState(c)
		return
	}

	// The legend takes its room from below; what is left is the panes'.
	c.Min.Y += p.legend(c)
	for i, f := range chart.Layout(p.m.Panes) {
		p.pane(crop(c, f), p.m.Panes[i])
	}
}

func (p *renderer) span() string {
	return p.m.Since.UTC().Format("2006-01-02 15:04:05") + " – " + p.m.Until.UTC().Format("2006-01-02 15:04:05") + " UTC"
}

func (p *renderer) emptyState(c draw.Canvas) {
	s := p.style(13, p.pal.Muted)
	s.XAlign, s.YAlign = draw.XCenter, draw.YCenter
	c.FillText(s, c.Center(), "nothing to show")
}

// crop is the piece of a canvas that a pane's rectangle names; rectangles count from the top left.
func crop(c draw.Canvas, f chart.Rect) draw.Canvas {
	w, h := c.Max.X-c.Min.X, c.Max.Y-c.Min.Y
	out := c
	out.Min.X = c.Min.X + vg.Length(f.Left)*w
	out.Max.X = out.Min.X + vg.Length(f.Width)*w
	out.Max.Y = c.Max.Y - vg.Length(f.Top)*h
	out.Min.Y = out.Max.Y - vg.Length(f.Height)*h
	return out
}

func (p *renderer) style(size float64, hex string) text.Style {
	return text.Style{
		Color: rgba(hex, 1), Handler: plot.DefaultTextHandler,
		Font: font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, vg.Length(size)),
	}
}

// wrap breaks a text at spaces so that each line fits the width.
func wrap(s text.Style, txt string, width vg.Length) []string {
	var out []string
	line := ""
	for _, word := range strings.Fields(txt) {
		if next := strings.TrimSpace(line + " " + word); line == "" || s.Width(next) <= width {
			line = next
			continue
		}
		out = append(out, line)
		line = word
	}

	return append(out, line)
}

// shorten cuts a text that does not fit the width.
func shorten(s text.Style, txt string, width vg.Length) string {
	r := []rune(txt)
	for n := len(r); n > 0; n-- {
		cut := txt
		if n < len(r) {
			cut = string(r[:n]) + "…"
		}
		if s.Width(cut) <= width {
			return cut
		}
	}
	return ""
}

// rgba reads "#rrggbb" with an opacity of 0..1.
func rgba(hex string, opacity float64) color.NRGBA {
	var c color.NRGBA
	if _, err := fmt.Sscanf(hex, "#%02x%02x%02x", &c.R, &c.G, &c.B); err != nil {
		return color.NRGBA{A: 255}
	}
	c.A = uint8(255*opacity + 0.5)
	return c
}

// rampColor is the colour of a share of 0..1, between the ramp's stops.
func rampColor(ramp []string, share float64) color.Color {
	share = min(1, max(0, share)) * float64(len(ramp)-1)
	i := min(int(share), len(ramp)-2)
	a, b := rgba(ramp[i], 1), rgba(ramp[i+1], 1)
	mix := func(x, y uint8) uint8 { return uint8(float64(x) + (float64(y)-float64(x))*(share-float64(i)) + 0.5) }
	return color.NRGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 255}
}
