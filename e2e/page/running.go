package page

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"gestor.local/contract"
	"gestor.local/e2e/scenario"
)

// charts is how many the page has.
const charts = 9

// redrawTime is how long a canvas may take to be drawn after its page changed size.
const redrawTime = time.Second

// CheckRunning opens the page of a running suite at the log service's address: the charts have data, it goes on by itself, and
// everything that checkPage asks for. A picture is written to the file picture unless that is "".
func CheckRunning(t *testing.T, where, picture string) {
	t.Helper()
	b := browser(t)
	checkPage(t, b, where)

	t.Run("goes on by itself, unless it is paused", func(t *testing.T) {
		p := open(t, b, where+"/", 1440, 1000)
		p.waitDrawn(charts)
		if state := eval[string](p, "document.querySelector('#verdict').dataset.state"); slices.Contains([]string{"empty", "stale", "blind", "stopped"}, state) {
			t.Errorf("the suite says %s", state)
		}

		last := func() string { return eval[string](p, "document.querySelector('#verdict').dataset.last") }
		began := last()
		p.until("a live update", fmt.Sprintf("document.querySelector('#verdict').dataset.last > %q", began))

		// Paused, it moves not even where two ticks have come: by the second one the first would have been shown. What moves
		// and moves back is seen as well.
		p.do(chromedp.KeyEvent("p"))
		p.until("it is paused", "document.querySelector('#status-text').textContent.startsWith('paused')")
		held := last()
		eval[bool](p, fmt.Sprintf("(window.moved = false, new MutationObserver(() => { window.moved ||= document.querySelector('#verdict').dataset.last !== %q }).observe(document.body, {subtree: true, childList: true, attributes: true}), true)", held))
		p.waitNewerTick(where, p.waitNewerTick(where, held))
		if eval[bool](p, "window.moved") {
			t.Error("a paused page moved")
		}
		p.checkRequests(where)

		if picture != "" {
			p.do(chromedp.Reload(), chromedp.EmulateViewport(1440, 1180))
			p.waitDrawn(charts)
			p.screenshot(picture)
		}
	})
}

// waitNewerTick waits until the service has a later tick than the one shown, and returns its time.
func (b *tab) waitNewerTick(where, shown string) (later string) {
	b.t.Helper()
	logs := scenario.Logs{URL: where}
	scenario.Eventually(b.t, time.Minute, "the service has a newer tick", func() error {
		text, err := logs.Get(contract.PathRecords+"?kind=host&limit=1", "")

		var page struct{ Records []struct{ TS time.Time } }
		if err == nil {
			err = json.Unmarshal(text, &page)
		}

		if err == nil && len(page.Records) > 0 {
			later = page.Records[0].TS.UTC().Format(time.RFC3339)
		}
		if err == nil && later <= shown {
			err = errors.New("not yet")
		}
		return err
	})
	return later
}

// screenshot writes what the tab shows to a file.
func (b *tab) screenshot(file string) {
	b.t.Helper()
	b.do(chromedp.Sleep(redrawTime))
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}

	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(file, picture, 0o644); err != nil {
		b.t.Fatal(err)
	}

	b.t.Logf("%s: %d KiB", file, len(picture)>>10)
}
