package page

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// testNow is what the page says of this moment. Each has a service of its own, since it adds records.
func testNow(t *testing.T, b context.Context, built tools) {
	for _, c := range []struct {
		name string
		at   func(t *testing.T, b context.Context, tools tools)
	}{
		{"a removal is seen before the next tick", removalIsSeen},
		{"a stopped manager is said at once, and the charts go by the clock", stoppedAtOnce},
		{"what nobody answers for is marked as old", agesByItself},
		{"a container's page goes on with its life", lifeGoesOn},
		{"an open page stays with its host", staysWithItsHost},
	} {
		t.Run(c.name, func(t *testing.T) { c.at(t, b, built) })
	}
}

const (
	headline = "document.querySelector('#verdict h1').textContent"
	verdict  = "document.querySelector('#verdict').dataset.state"
)

// removalIsSeen gives the records of the newest tick's removals one by one, without another tick.
func removalIsSeen(t *testing.T, b context.Context, tools tools) {
	s := tools.start(t)
	lines := tools.records(t, "-length", "2m25s")
	var events []string
	rest := lines[:0:0]
	tick := lastTick(t, lines)
	for i, one := range lines {
		if i > tick && strings.Contains(one, `"phase":"outcome"`) {
			events = append(events, one)
		} else {
			rest = append(rest, one)
		}
	}
	if len(events) < 2 {
		t.Fatalf("%d removals on the newest tick: choose another length", len(events))
	}

	s.post(t, rest)
	p := open(t, b, s.url+"/", 1200, 900)
	p.until("removals are under way", verdict+" === 'settling'")
	n := "Number(document.querySelector('#containers').querySelectorAll('tbody tr').length)"
	before := eval[int](p, n)
	s.post(t, events[:1])
	p.until("one less", fmt.Sprintf("%s === %d", n, before-1))
	s.post(t, events[1:])
	p.until("settled", verdict+" === 'settled' && "+headline+" === 'Settled: 3 low, 2 high'")
	p.checkRequests(s.url)
}

func stoppedAtOnce(t *testing.T, b context.Context, tools tools) {
	s := tools.start(t)
	s.post(t, tools.records(t, "-length", "3m"))
	p := fake(t, b, s.url+"/", 1200)
	p.waitDrawn(1)
	s.system(t, "manager", "stop", "the manager stops")
	p.until("the headline says it", headline+".startsWith('Manager stopped at ')")
	p.until("the title too", "document.title.startsWith('Gestor · Manager stopped at ')")
	p.until("the header too", status("manager stopped"))
	n := eval[string](p, "document.body.dataset.refreshed || '0'")
	p.set("fake.skew += 60_000")
	p.until("the charts are asked for without an event", "Number(document.body.dataset.refreshed || 0) > "+n)
	p.checkRequests(s.url)
}

func agesByItself(t *testing.T, b context.Context, tools tools) {
	s := tools.start(t)
	s.post(t, tools.records(t, "-length", "3m"))
	p := fake(t, b, s.url+"/", 1200)
	const aged = "document.body.dataset.aged === 'yes' && !document.querySelector('#aged').hidden && document.title.startsWith('No news since ')"
	p.set("fake.fails = '/now'; fake.skew += 60_000")
	p.until("it cannot reach the service", aged+" && document.querySelector('#aged').textContent.includes('cannot reach Gestor')")
	p.set("fake.fails = null; fake.skew += 60_000")
	p.until("it reaches it again", "!document.body.dataset.aged && document.querySelector('#aged').hidden && document.title.startsWith('Gestor · ')")
	p.set("document.querySelector('#live').click(); fake.skew += 60_000")
	p.until("a paused page ages, too", aged+" && document.querySelector('#aged').textContent.includes('paused')")
	p.set("document.querySelector('#live').click()")
	p.until("and is fresh again", "!document.body.dataset.aged")
	p.checkRequests(s.url)
}

func lifeGoesOn(t *testing.T, b context.Context, tools tools) {
	s := tools.start(t)
	lines := tools.records(t, "-length", "3m")
	cut := lastTick(t, lines)
	s.post(t, lines[:cut])
	p := open(t, b, s.url+"/", 1200, 900)
	p.until("a container that stays", "document.querySelector('#containers .fate.kept')")
	p.do(chromedp.Navigate(eval[string](p, "document.querySelector('#containers .fate.kept').closest('tr').querySelector('a').href")))
	p.waitDrawn(1)
	const readings = "Number(document.querySelector('#verdict .facts div:last-child dd').firstChild.textContent)"
	n := eval[int](p, readings)
	s.post(t, lines[cut:])
	p.until("one more reading", fmt.Sprintf("%s === %d", readings, n+1))
	p.checkRequests(s.url)
}

// staysWithItsHost adds a host that comes first by name: a page that is open goes on with its own.
func staysWithItsHost(t *testing.T, b context.Context, tools tools) {
	s := tools.start(t)
	lines := tools.records(t, "-length", "3m")
	cut := lastTick(t, lines)
	s.post(t, lines[:cut])
	p := open(t, b, s.url+"/", 1200, 900)
	p.until("the page of the only host", "document.querySelector('#verdict').dataset.host === 'node1'")

	other := strings.Split(strings.ReplaceAll(strings.Join(lines, "\n"), `"host":"node1"`, `"host":"a & b"`), "\n")
	s.post(t, other)
	s.post(t, lines[cut:])
	p.until("it names the other one", "document.querySelector('#verdict .facts a')?.textContent === 'a & b'")
	if got := eval[string](p, "document.querySelector('#verdict').dataset.host"); got != "node1" {
		t.Errorf("the page went to %q", got)
	}
	p.do(chromedp.Click("#verdict .facts a"))
	p.until("the other one's page", "location.search === '?host="+url.QueryEscape("a & b")+"' || location.search === '?host=a%20%26%20b'")
	p.until("is of it", "document.querySelector('#verdict').dataset.host === 'a & b'")
	p.checkRequests(s.url)
}

// system posts an event of a service, now.
func (s service) system(t *testing.T, producer, event, message string) {
	t.Helper()
	s.post(t, []string{fmt.Sprintf(`{"v":1,"ts":%q,"kind":"system","host":"node1","boot":"test %d","producer":%q,"pseq":1,"event":%q,"level":"info","message":%q}`,
		time.Now().UTC().Format(time.RFC3339Nano), time.Now().UnixNano(), producer, event, message)})
}
