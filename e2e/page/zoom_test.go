package page

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// testZoom is which time the charts are of.
func testZoom(t *testing.T, b context.Context, built tools) {
	s := built.start(t)
	s.post(t, built.records(t, "-length", "50m"))
	for _, c := range []struct {
		name string
		at   func(t *testing.T, b context.Context, where string)
	}{
		{"a zoom shows what it says", zoomShowsWhatItSays},
		{"a range that leaves its zoom behind stands still", leftBehind},
		{"the selection changes under the pointer", filterUnderThePointer},
	} {
		t.Run(c.name, func(t *testing.T) { c.at(t, b, s.url) })
	}
}

// axis is the end of a chart's time axis as it is drawn, in ms.
func axis(chart string, end int) string {
	return fmt.Sprintf("Math.round(echarts.getInstanceByDom(document.querySelector('#chart-%s .plot')).getModel().getComponent('xAxis').axis.scale.getExtent()[%d])", chart, end)
}

const asked = "new URL(document.querySelector('#chart-population a[data-format=json]').href).searchParams"

// zoomShowsWhatItSays opens zooms of before, at the edge of and within the sliding range: what the page says is what its
// charts draw.
func zoomShowsWhatItSays(t *testing.T, b context.Context, where string) {
	now := time.Now().Truncate(time.Second)
	for name, c := range map[string]struct {
		from, length time.Duration // before now
		frozen       bool
	}{
		"long ago":           {25 * time.Minute, 2 * time.Minute, true},
		"half left":          {16 * time.Minute, 4 * time.Minute, true},
		"within":             {6 * time.Minute, 3 * time.Minute, false},
		"not of full second": {26*time.Minute + 300*time.Millisecond, 90500 * time.Millisecond, true},
	} {
		from := now.Add(-c.from).UnixMilli()
		to := now.Add(c.length - c.from).UnixMilli()
		p := open(t, b, fmt.Sprintf("%s/?zoom=%d-%d", where, from, to), 1200, 900)
		p.waitDrawn(2)
		if c.frozen {
			p.until(name+": the range stands still", "location.search.includes('since=') && !location.search.includes('zoom=') && !document.querySelector('#back').hidden")
			from, to = from/1000*1000, (to+999)/1000*1000
			p.until(name+": it is that of the zoom", fmt.Sprintf("Date.parse(%[1]s.get('since')) === %[2]d && Date.parse(%[1]s.get('until')) === %[3]d && document.querySelector('#zoom').hidden", asked, from, to))
		}
		for _, chart := range []string{"population", "memory"} {
			p.until(name+": "+chart+" draws it", fmt.Sprintf("%s === %d && %s === %d", axis(chart, 0), from, axis(chart, 1), to))
		}
		if c.frozen {
			p.do(chromedp.Click("#back"))
			p.until(name+": back to live", "!location.search.includes('since=') && document.querySelector('#back').hidden && document.querySelector('input[name=range]:checked').value === '15m'")
			p.until(name+": the range slides again", asked+".get('range') === '15m'")
		}
		p.checkRequests(where)
	}
}

// leftBehind lets the sliding range pass the begin of a zoom, as it does when a page stays open.
func leftBehind(t *testing.T, b context.Context, where string) {
	p := open(t, b, where+"/?range=1h", 1200, 900)
	p.waitDrawn(2)
	p.do(chromedp.Navigate(where + "/?range=1h&zoom=" + fmt.Sprintf("%d-%d", time.Now().Add(-30*time.Minute).UnixMilli(), time.Now().Add(-20*time.Minute).UnixMilli())))
	p.waitDrawn(2)
	if eval[bool](p, "location.search.includes('since=')") {
		t.Error("a zoom within the range froze it")
	}
	p.set(`const fetched = window.fetch;
		window.fetch = async (url, options) => { // 40 minutes later
			const r = await fetched(url, options);
			if (!String(url).includes('/v1/charts/') || String(url).includes('since=')) return r;
			const doc = await r.json();
			for (const k of ['since', 'until']) doc[k] = new Date(Date.parse(doc[k]) + 40 * 60_000).toISOString();
			return new Response(JSON.stringify(doc));
		}`)
	p.refresh()
	p.until("it stands still", "location.search.includes('since=') && !document.querySelector('#back').hidden && document.querySelector('input[name=range]:checked').value === 'custom'")
	p.do(chromedp.Click("#back"))
	p.until("back to the range of before", asked+".get('range') === '1h' && location.search.includes('range=1h')")
	p.checkRequests(where)
}

// filterUnderThePointer changes the selection while a chart is being read.
func filterUnderThePointer(t *testing.T, b context.Context, where string) {
	p := open(t, b, where+"/", 1200, 900)
	p.waitDrawn(charts)
	for i := range 3 {
		plot := fmt.Sprintf("document.querySelectorAll('.plot')[%d]", i)
		for _, class := range []string{"high", "unknown", ""} {
			eval[bool](p, "("+plot+".scrollIntoView({block: 'center'}), true)")
			at := func(part float64) (x, y float64) {
				return eval[float64](p, fmt.Sprintf("%s.getBoundingClientRect().left + %v * %s.clientWidth", plot, part, plot)),
					eval[float64](p, fmt.Sprintf("%s.getBoundingClientRect().top + 0.35 * %s.clientHeight", plot, plot))
			}
			x, y := at(0.6)
			p.do(chromedp.MouseEvent("mouseMoved", x, y), chromedp.MouseEvent("mouseMoved", x+3, y+2))
			n := eval[string](p, "document.body.dataset.refreshed || '0'")
			p.set("const f = document.querySelector('#filters'); if (![...f.class.options].some((o) => o.value === '" + class + "')) f.class.append(new Option('" + class + "')); f.class.value = '" + class + "'; f.dispatchEvent(new Event('change'))")
			p.do(chromedp.MouseEvent("mouseMoved", x+5, y))
			p.until("it is drawn", "Number(document.body.dataset.refreshed || 0) > "+n)
			p.do(chromedp.MouseEvent("mouseMoved", x+8, y), chromedp.MouseEvent("mouseMoved", x+20, y))
		}
	}
	time.Sleep(redrawTime)
	p.checkRequests(where)
}
