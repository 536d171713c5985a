package page

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// fakeScript lets a test hold what the page cannot be made to meet at will: time that passed (fake.skew, in ms, of the
// monotonic clock alone), requests that fail (those whose address contains fake.fails) and what /now answers (fake.edit).
const fakeScript = `(() => {
	const fetched = window.fetch, now = performance.now.bind(performance);
	window.fake = { skew: 0, fails: null, edit: (text) => text, asked: 0 };
	performance.now = () => now() + fake.skew;
	window.fetch = async (url, options) => {
		if (String(url).startsWith('/now')) fake.asked++;
		if (fake.fails && String(url).includes(fake.fails)) return new Response('{"detail":"the store is away"}', {status: 503});
		const answer = await fetched(url, options);
		return String(url).startsWith('/now') && answer.ok ? new Response(fake.edit(await answer.text())) : answer;
	};
	return true;
})()`

// testFaults is what goes wrong around a page that stays open. All share one service: none of them changes its records.
func testFaults(t *testing.T, b context.Context, tools tools) {
	s := tools.start(t)
	s.post(t, tools.records(t, "-length", "5m"))
	for _, c := range []struct {
		name string
		at   func(t *testing.T, b context.Context, where string)
	}{
		{"silence becomes no news", checkStaleNotice},
		{"a tick like the one before is a tick", checkEqualTick},
		{"a custom range without ends changes nothing", checkCustomRangeWithoutEnds},
		{"a chart of another selection is not left standing", checkFailedSelection},
		{"a tick leaves the reader where they are", checkFocusAndScroll},
		{"an address with a senseless zoom", checkZoomBounds},
		{"the keys of a container's page", checkContainerPageKeys},
		{"the pause button says its state once", checkPauseNotice},
	} {
		t.Run(c.name, func(t *testing.T) { c.at(t, b, s.url) })
	}
}

// fake opens a page that is live, with fakeScript in it.
func fake(t *testing.T, b context.Context, where string, width int64) *tab {
	t.Helper()
	p := open(t, b, where, width, 900)
	p.until("it is live", connected)
	eval[bool](p, fakeScript)
	return p
}

// set runs statements in the page.
func (b *tab) set(statements string) {
	b.t.Helper()
	eval[bool](b, "(() => { "+statements+"; return true; })()")
}

// refresh has the page ask for everything, without moving the focus.
func (b *tab) refresh() {
	b.t.Helper()
	b.set("for (const _ of 'pr') document.querySelector('#live').click()")
}

// connected is a page that hears the service, whatever the age of its newest record.
var connected = "(" + status("live") + " || " + status("no news") + ")"

func status(begin string) string {
	return "document.querySelector('#status-text').textContent.startsWith('" + begin + ",')"
}

func checkStaleNotice(t *testing.T, b context.Context, where string) {
	p := fake(t, b, where+"/", 1200)
	p.set("fake.edit = (text) => text.replace(/<h1>[^<]*/, '<h1>No news for 1 min'); fake.skew += 60_000")
	p.until("it asks without an event", "document.querySelector('h1').textContent === 'No news for 1 min'")
	p.set("fake.fails = '/now'; fake.skew += 60_000")
	p.until("a refusal is told", status("service away, trying again"))
	p.set("fake.fails = null; fake.skew += 60_000")
	p.until("and so is the recovery", connected)
	p.refresh()
	p.set("document.querySelector('#live').click(); fake.skew += 60_000; fake.asked = 0")
	time.Sleep(2 * redrawTime) // the time in which a live page would have asked
	if n := eval[int](p, "fake.asked"); n > 0 {
		t.Errorf("a paused page asked %d times", n)
	}
	p.set("document.querySelector('#live').click()")
	p.checkRequests(where)
}

func checkEqualTick(t *testing.T, b context.Context, where string) {
	const later = "2099-01-01T00:00:00Z"
	p := fake(t, b, where+"/", 1200)
	p.set("fake.edit = () => document.querySelector('#verdict').outerHTML.replace(/data-last=\"[^\"]*\"/, 'data-last=\"" + later + "\"').replace(/data-age=\"[^\"]*\"/, 'data-age=\"0\"')")
	p.refresh()
	p.until("its time is taken over", "document.querySelector('#verdict').dataset.last === '"+later+"'")
	p.until("and shown", "document.querySelector('#status-text').textContent.endsWith(', last record 0 s ago')")
	p.checkRequests(where)
}

func checkCustomRangeWithoutEnds(t *testing.T, b context.Context, where string) {
	const asked = "new URL(document.querySelector('#chart-population a[data-format=json]').href).searchParams"
	p := fake(t, b, where+"/?range=1h&class=low&image=low-idle", 1200)
	p.waitDrawn(1)
	p.set("document.querySelector('input[name=range][value=custom]').click()")
	p.until("the ends can be chosen", "!document.querySelector('#custom').hidden")
	n := eval[string](p, "document.body.dataset.refreshed || '0'")
	p.refresh()
	p.until("it was asked again", "document.body.dataset.refreshed > "+n)
	if got := eval[string](p, "String("+asked+")"); !strings.Contains(got, "range=1h&class=low&image=low-idle") {
		t.Errorf("without ends the page asks for %q", got)
	}
	p.set("const f = document.querySelector('#filters'); f.class.value = 'high'; f.image.value = ''; f.dispatchEvent(new Event('change'))")
	p.until("the class holds all the same", asked+".get('class') === 'high' && !"+asked+".has('image') && "+asked+".get('range') === '1h'")
	p.set("const f = document.querySelector('#filters'); f.from.value = '2026-05-04T10:00'; f.to.value = '2026-05-04T11:00'; f.dispatchEvent(new Event('change'))")
	p.until("both ends are a range", asked+".get('since') === '2026-05-04T10:00:00Z' && "+asked+".get('until') === '2026-05-04T11:00:00Z' && !"+asked+".has('range')")
	p.until("it stands in the address", "location.search === '?class=high&since=2026-05-04T10%3A00%3A00Z&until=2026-05-04T11%3A00%3A00Z'")
	p.checkRequests(where)
}

func checkFailedSelection(t *testing.T, b context.Context, where string) {
	const chart = "document.querySelector('#chart-population')"
	p := fake(t, b, where+"/", 1200)
	p.waitDrawn(1)
	p.set("fake.fails = '/v1/charts/population'")
	n := eval[string](p, "document.body.dataset.refreshed || '0'")
	p.refresh()
	p.until("it was asked again", "document.body.dataset.refreshed > "+n)
	if !eval[bool](p, chart+".querySelector('canvas') && "+chart+".querySelector('.empty').hidden") {
		t.Error("a drawing of the same selection was taken away")
	}
	p.do(chromedp.KeyEvent("2"))
	p.until("the failure is shown", chart+".querySelector('.empty').textContent === 'This chart could not be loaded: the store is away' && !"+chart+".querySelector('.empty').hidden")
	if !eval[bool](p, chart+".querySelector('.plot').hidden && !"+chart+".querySelector('.legend').textContent && !"+chart+".querySelector('.summary').textContent") {
		t.Error("the chart of the selection before still stands")
	}
	p.set("fake.fails = null")
	p.do(chromedp.KeyEvent("1"))
	p.until("it comes back", chart+".querySelector('.plot').dataset.ready === 'yes' && !"+chart+".querySelector('.plot').hidden && "+chart+".querySelector('.empty').hidden && "+chart+".querySelector('canvas').width > 100")
	p.checkRequests(where)
}

func checkFocusAndScroll(t *testing.T, b context.Context, where string) {
	const region = "document.querySelector('#containers .scroll')"
	p := fake(t, b, where+"/", 340)
	p.waitDrawn(1)
	tick := func(n string) { // one that changes the table
		p.set("fake.edit = (text) => text.replace(/(id=\"h-containers\">[^<]*<.h2><p class=\"about\">)[^<]*/, '$1Tick " + n + "')")
		p.refresh()
		p.until("tick "+n+" is shown", "document.querySelector('#containers .about').textContent.startsWith('Tick "+n+"')")
	}
	p.set(region + ".focus(); " + region + ".scrollLeft = 40")
	if got := eval[int](p, region+".scrollLeft"); got != 40 {
		t.Fatalf("the table is scrolled by %d px: the test is blind", got)
	}
	tick("1")
	if !eval[bool](p, "document.activeElement === "+region) {
		t.Errorf("the focus went from the table to %s", eval[string](p, "document.activeElement.tagName"))
	}
	if got := eval[int](p, region+".scrollLeft"); got != 40 {
		t.Errorf("the table is scrolled by %d px, want 40", got)
	}
	p.set("window.link = [..." + region + ".querySelectorAll('a')].pop(); link.focus()")
	tick("2")
	if !eval[bool](p, "link !== document.activeElement && link.href === document.activeElement.href") {
		t.Error("the focus left the link")
	}
	p.set("window.button = [...document.querySelectorAll('#chart-population .legend button')].pop(); button.focus()")
	p.do(chromedp.KeyEvent("t")) // as a tick does, a change of theme draws the legend anew
	p.until("the legend is new", "!button.isConnected")
	if !eval[bool](p, "document.activeElement.matches('#chart-population .legend button') && document.activeElement.textContent === button.textContent") {
		t.Errorf("the focus went from the legend to %s", eval[string](p, "document.activeElement.tagName"))
	}
	p.checkRequests(where)
}

func checkZoomBounds(t *testing.T, b context.Context, where string) {
	for _, zoom := range []string{"5-Infinity", "0-9e99"} {
		p := open(t, b, where+"/?zoom="+zoom, 1200, 900)
		p.until(zoom+": the page goes live", connected)
		p.waitDrawn(1)
		if !eval[bool](p, "document.querySelector('#zoom').hidden") {
			t.Errorf("%s: a zoom is shown", zoom)
		}
		p.checkRequests(where)
	}
}

func checkContainerPageKeys(t *testing.T, b context.Context, where string) {
	p := open(t, b, where+"/", 1200, 900)
	p.do(chromedp.Navigate(eval[string](p, "document.querySelector('#containers tbody a').href")))
	p.waitDrawn(1)
	before := eval[string](p, "document.querySelector('#theme').textContent")
	p.do(chromedp.KeyEvent("t"))
	p.until("t changes the theme", "document.querySelector('#theme').textContent !== '"+before+"'")
	p.do(chromedp.KeyEvent("1p")) // these are the main page's
	p.checkRequests(where)
}

func checkPauseNotice(t *testing.T, b context.Context, where string) {
	p := open(t, b, where+"/", 1200, 900)
	for _, want := range []string{"Pause", "Resume", "Pause"} {
		p.until(want+" is offered", "document.querySelector('#live').textContent === '"+want+"'")
		if eval[bool](p, "document.querySelector('#live').hasAttribute('aria-pressed')") {
			t.Errorf("%s: a button whose name changes is no toggle", want)
		}
		p.do(chromedp.Click("#live"))
	}
	p.set("document.querySelector('#live').click()") // resumed: what is stored holds for the next page
}
