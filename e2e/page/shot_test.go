package page

import (
	"flag"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

var update = flag.Bool("update", false, "write the pictures of docs/images anew")

// TestScreenshots writes the pictures of the documentation; look at them before you commit them.
func TestScreenshots(t *testing.T) {
	if !*update {
		t.Skip("writes docs/images: run with -update")
	}
	b := browser(t)
	tools := build(t)
	for _, shot := range []struct {
		name, theme, length string // the length sets in which phase of a batch the newest tick stands
		width, height       int64
	}{
		{"page-light", "light", "14m", 1440, 1180},
		{"page-dark", "dark", "13m31s", 1440, 1180},
		{"page-narrow", "light", "14m", 390, 2000},
	} {
		s := tools.start(t)
		s.post(t, tools.records(t, "-length", shot.length, "-gap", "40s", "-seed", "11"))
		p := open(t, b, s.url+"/?theme="+shot.theme, shot.width, 1000)
		p.waitDrawn(charts)
		p.do(chromedp.EmulateViewport(shot.width, shot.height))
		p.screenshot(filepath.Join("..", "..", "docs", "images", shot.name+".png"))
	}
}
