package page

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestPage shares one browser and one build, which cost more than the tests.
func TestPage(t *testing.T) {
	b := browser(t)
	tools := build(t)
	t.Run("live", func(t *testing.T) { testLive(t, b, tools) })
	t.Run("hostile names do not run", func(t *testing.T) { testHostile(t, b, tools) })
	t.Run("faults", func(t *testing.T) { testFaults(t, b, tools) })
	t.Run("zoom", func(t *testing.T) { testZoom(t, b, tools) })
	t.Run("now", func(t *testing.T) { testNow(t, b, tools) })
	t.Run("a run", func(t *testing.T) { testRun(t, b, tools) })
}

func testRun(t *testing.T, b context.Context, tools tools) {
	s := tools.start(t)
	s.post(t, tools.records(t, "-length", "14m", "-gap", "1m"))

	checkPage(t, b, s.url)
	t.Run("a file on the volume stands alone", func(t *testing.T) {
		s.draw(t)
		file := open(t, b, "file://"+filepath.Join(s.data, "charts", "population.html"), 1000, 700)
		file.until("the chart is drawn", "document.querySelector('.plot').dataset.ready === 'yes'")
		file.checkSelfContained()
	})
}

func testLive(t *testing.T, b context.Context, tools tools) {
	s := tools.start(t)
	lines := tools.records(t, "-length", "5m")
	cut := lastTick(t, lines)
	before := lastTick(t, lines[:cut])

	p := open(t, b, s.url+"/", 1200, 900)
	p.until("an empty store says so", "document.querySelector('h1').textContent === 'No records yet'")
	p.until("an empty chart says what to do", "document.querySelector('#chart-population .empty').textContent.includes('make up')")

	s.post(t, lines[:before])
	p.until("the first records arrive by themselves", "document.querySelector('#chart-population .plot').dataset.ready === 'yes'")
	p.until("and so does the verdict, which is asked for last", "document.querySelector('#verdict').dataset.last !== ''")
	first := eval[string](p, "document.querySelector('#verdict').dataset.last")

	p.do(chromedp.Click("#live"))
	s.post(t, lines[before:cut])
	time.Sleep(redrawTime) // the time in which a live page would have changed
	if got := eval[string](p, "document.querySelector('#verdict').dataset.last"); got != first {
		t.Errorf("a paused page went on from %s to %s", first, got)
	}
	p.do(chromedp.Click("#live"))
	p.until("resumed, it catches up", fmt.Sprintf("document.querySelector('#verdict').dataset.last > %q", first))
	second := eval[string](p, "document.querySelector('#verdict').dataset.last")
	s.post(t, lines[cut:])
	p.until("one more tick", fmt.Sprintf("document.querySelector('#verdict').dataset.last > %q", second))
	p.checkRequests(s.url)
}

func testHostile(t *testing.T, b context.Context, tools tools) {
	s := tools.start(t)
	s.post(t, tools.records(t, "-length", "5m", "-hostile"))
	p := open(t, b, s.url+"/", 1200, 900)
	p.waitDrawn(charts)
	eval[bool](p, "(document.querySelectorAll('details').forEach((d) => { d.open = true; }), true)")
	hover(p)
	checkHarmless(t, p)
	if !strings.Contains(eval[string](p, "document.body.innerText"), "<img src=x onerror") {
		t.Error("no hostile name is shown: the test is blind")
	}
	link := eval[string](p, "document.querySelector('#containers tbody a').href")
	p.checkRequests(s.url)
	for _, path := range []string{link, s.url + "/v1/charts/processes.html", s.url + "/v1/charts/lives.html"} {
		if u, err := url.Parse(path); err != nil || u.Path == "" {
			t.Fatalf("no link to a container: %q", path)
		}
		one := open(t, b, path, 1200, 900)
		one.waitDrawn(1)
		checkHarmless(t, one)
		one.checkRequests(s.url)
	}
}

// hover moves the mouse over every chart, so that its tooltips are made.
func hover(p *tab) {
	for i := range charts {
		plot := fmt.Sprintf("document.querySelectorAll('.plot')[%d]", i)
		eval[bool](p, "("+plot+".scrollIntoView({block: 'center'}), true)")
		for _, part := range []float64{0.3, 0.5, 0.8} {
			x := eval[float64](p, fmt.Sprintf("%s.getBoundingClientRect().left + %v * %s.clientWidth", plot, part, plot))
			y := eval[float64](p, fmt.Sprintf("%s.getBoundingClientRect().top + 0.3 * %s.clientHeight", plot, plot))
			p.do(chromedp.MouseEvent("mouseMoved", x, y))
		}
	}
}

func checkHarmless(t *testing.T, p *tab) {
	t.Helper()
	if got := eval[string](p, "String(window.pwned)"); got != "undefined" {
		t.Errorf("a name ran as script number %s", got)
	}
	if n := eval[int](p, "document.querySelectorAll('main img, main svg, main script, main iframe').length"); n != 0 {
		t.Errorf("%d elements were made from names", n)
	}
}
