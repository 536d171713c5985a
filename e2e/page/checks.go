package page

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// checkPage looks at a page that has records of some minutes, as its users do; it changes nothing there.
func checkPage(t *testing.T, b context.Context, where string) {
	t.Helper()
	for _, look := range []struct {
		name string
		at   func(t *testing.T, b context.Context, where string)
	}{
		{"every chart has data, nothing else is asked", checkChartsHaveData},
		{"can be read without seeing and without a mouse", checkAccessible},
		{"zoom outlives new data and a reload", checkZoomPersists},
		{"selection leaves others out", checkSelection},
		{"is printed as it is seen, without what paper cannot do", checkPrint},
		{"nothing moves", checkNoAnimation},
		{"the story of a container", checkContainerPage},
	} {
		t.Run(look.name, func(t *testing.T) { look.at(t, b, where) })
	}
}

func checkChartsHaveData(t *testing.T, b context.Context, where string) {
	for _, c := range []struct {
		theme string
		width int64
	}{{"light", 1600}, {"dark", 390}} {
		p := open(t, b, where+"/?theme="+c.theme, c.width, 1000)
		p.waitDrawn(charts)

		for i := range charts {
			plot := fmt.Sprintf("document.querySelectorAll('.plot')[%d]", i)
			if got := eval[string](p, plot+".dataset.ready"); got != "yes" {
				t.Errorf("%s: chart %d is %q", c.theme, i, got)
			}
			if !eval[bool](p, plot+".querySelector('canvas').width > 100") {
				t.Errorf("%s: chart %d has no picture", c.theme, i)
			}
		}

		if over := eval[int](p, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
			t.Errorf("%s: the page is %d px wider than %d", c.theme, over, c.width)
		}
		p.checkRequests(where)
	}
}

func checkAccessible(t *testing.T, b context.Context, where string) {
	p := open(t, b, where+"/", 1200, 900)
	p.waitDrawn(charts)
	p.checkAccessibility()

	p.do(chromedp.KeyEvent("t"))
	p.until("t changes the theme", "document.querySelector('#theme').textContent.includes('light')")
	p.do(chromedp.KeyEvent("2"))
	p.until("2 chooses an hour", "location.search.includes('range=1h')")

	p.do(chromedp.KeyEvent("p"))
	p.until("p pauses", "document.querySelector('#status-text').textContent.startsWith('paused')")
	p.do(chromedp.KeyEvent("p"))
	p.until("p resumes", "document.querySelector('#status-text').textContent.startsWith('live')")
	p.checkRequests(where)
}

func checkZoomPersists(t *testing.T, b context.Context, where string) {
	p := open(t, b, where+"/", 1200, 900)
	p.waitDrawn(2)

	eval[bool](p, "(document.querySelector('#chart-population .plot').focus(), true)")
	p.do(chromedp.KeyEvent("++"))
	p.until("the zoom stands in the address", "/zoom=\\d+-\\d+/.test(location.search)")
	zoom := eval[string](p, "new URL(location).searchParams.get('zoom')")

	p.do(chromedp.Reload())
	p.waitDrawn(2)
	p.until("zoomed after a reload", window("population", 0)+" === "+strings.Split(zoom, "-")[0])
	p.until("the other chart too", window("memory", 0)+" === "+strings.Split(zoom, "-")[0])

	eval[bool](p, "(document.querySelector('#chart-population .plot').focus(), true)")
	p.do(chromedp.KeyEvent("0"))
	p.until("0 shows the whole range", "!location.search.includes('zoom')")
	p.checkRequests(where)
}

func checkSelection(t *testing.T, b context.Context, where string) {
	p := open(t, b, where+"/?class=low&image=low-idle", 1200, 900)
	p.waitDrawn(3)
	names := eval[string](p, "document.querySelector('#chart-processes .legend').textContent")
	if !strings.Contains(names, "low-idle") || strings.Contains(names, "high") || strings.Contains(names, "low-pulse") {
		t.Errorf("legend of a selection: %s", names)
	}
	p.checkRequests(where)
}

func checkPrint(t *testing.T, b context.Context, where string) {
	for _, theme := range []string{"light", "dark"} {
		p := open(t, b, where+"/?theme="+theme, 1000, 900)
		p.waitDrawn(charts)

		p.media("print")
		for _, what := range []string{".controls", ".bar", ".links"} {
			if display := eval[string](p, "getComputedStyle(document.querySelector('"+what+"')).display"); display != "none" {
				t.Errorf("%s: %s is printed (%s)", theme, what, display)
			}
		}

		if ratio := eval[float64](p, contrast); ratio < 4.5 {
			t.Errorf("%s: text on paper has a contrast of %.1f", theme, ratio)
		}
		p.checkRequests(where)
	}
}

func checkNoAnimation(t *testing.T, b context.Context, where string) {
	p := open(t, b, where+"/", 1000, 900)
	p.waitDrawn(2)
	if animated := eval[bool](p, "echarts.getInstanceByDom(document.querySelector('#chart-population .plot')).getOption().animation"); animated {
		t.Error("the charts are animated")
	}
	if n := eval[int](p, "[...document.querySelectorAll('*')].filter((e) => parseFloat(getComputedStyle(e).transitionDuration) > 0).length"); n > 0 {
		t.Errorf("%d elements have transitions", n)
	}
	p.checkRequests(where)
}

func checkContainerPage(t *testing.T, b context.Context, where string) {
	p := open(t, b, where+"/", 1200, 900)
	eval[bool](p, "(document.querySelector('#decisions tbody a[href^=\"/containers/\"]').click(), true)")
	p.until("its page opens", "location.pathname.startsWith('/containers/') && document.querySelector('.plot')?.dataset.ready === 'yes'")
	if text := eval[string](p, "document.body.innerText"); !strings.Contains(text, "remove outcome: done") || !strings.Contains(text, "Its class on its last tick") {
		t.Errorf("the story lacks its end: %.300s", text)
	}
	p.checkRequests(where)
}

// contrast computes the contrast of the page's text on its ground (WCAG 2, relative luminance).
const contrast = `(() => {
	const light = (c) => c.match(/[\d.]+/g).slice(0, 3).map((v) => v / 255)
		.map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const style = getComputedStyle(document.body), two = [light(style.color), light(style.backgroundColor)].sort((a, b) => b - a);
	return (two[0] + 0.05) / (two[1] + 0.05);
})()`

func window(chart string, end int) string {
	return fmt.Sprintf("Math.round(echarts.getInstanceByDom(document.querySelector('#chart-%s .plot')).getOption().dataZoom[0].%s)",
		chart, []string{"startValue", "endValue"}[end])
}
