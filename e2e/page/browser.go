package page

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"gestor.local/e2e/scenario"
)

// browser starts Chromium once for all tests of a run.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium: install the package chromium")
	}

	// Chromium leaves its sockets' folders behind when it is killed. Not t.TempDir: a socket's path must be short.
	dir, err := os.MkdirTemp("", "gestor-page-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })

	// It asks nobody else (an update, an account), and draws the same on every machine.
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), chromedp.Env("TMPDIR="+dir),
		chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("force-color-profile", "srgb"), chromedp.WindowSize(1440, 1000),
	)
	t.Cleanup(cancel)

	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return ctx
}

// tab is one page with everything it asked for and complained about.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex // guards all following fields
	requests []string
	problems []string
}

func open(t *testing.T, parent context.Context, where string, width, height int64) *tab {
	t.Helper()
	b := &tab{t: t}

	ctx, cancel := chromedp.NewContext(parent, chromedp.WithListener(b.listen))
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 90*time.Second)
	t.Cleanup(cancel)

	b.ctx = ctx
	b.do(chromedp.EmulateViewport(width, height), chromedp.Navigate(where))
	return b
}

func (b *tab) listen(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()

	switch e := ev.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)

	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			text += fmt.Sprint(x.Description)
		}
		b.problems = append(b.problems, "exception: "+text)

	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			b.problems = append(b.problems, fmt.Sprintf("console %s: %v", e.Type, e.Args))
		}

	case *log.EventEntryAdded:
		// Others change the machine's networks: the page asks again.
		moved := strings.Contains(e.Entry.Text, "net::ERR_NETWORK_CHANGED")
		if (e.Entry.Level == "error" || e.Entry.Level == "warning") && !moved {
			b.problems = append(b.problems, fmt.Sprintf("log %s: %s %v", e.Entry.Level, e.Entry.Text, e.Entry.URL))
		}
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// media has the tab behave as on a medium (print).
func (b *tab) media(medium string) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: medium}); err != nil {
		b.t.Fatal(err)
	}
}

// eval returns the value of an expression in the page.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits for an expression in the page to become true.
func (b *tab) until(what, expression string) {
	b.t.Helper()
	scenario.Eventually(b.t, 30*time.Second, what, func() error {
		ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		if err == nil && !ok {
			err = fmt.Errorf("%s is false", expression)
		}
		return err
	})
}

// waitDrawn waits until every chart has been scrolled into view and drawn.
func (b *tab) waitDrawn(n int) {
	b.t.Helper()
	for i := range n {
		chart := fmt.Sprintf("document.querySelectorAll('[data-chart]')[%d]", i)
		eval[bool](b, "("+chart+".scrollIntoView(), true)")
		b.until(fmt.Sprintf("chart %d is drawn", i), chart+".querySelector('.plot').dataset.ready")
	}
	eval[bool](b, "(scrollTo(0, 0), true)")
}

// checkRequests fails the test when the page complained or asked another host.
func (b *tab) checkRequests(service string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.problems {
		b.t.Errorf("the page complained: %s", text)
	}

	own, err := url.Parse(service)
	if err != nil {
		b.t.Fatal(err)
	}
	asked := 0
	for _, r := range b.requests {
		u, err := url.Parse(r)
		if err != nil || u.Host != own.Host && !strings.HasPrefix(r, "data:") && !strings.HasPrefix(r, "about:") {
			b.t.Errorf("the page asked %q", r)
		}
		asked++
	}

	if asked == 0 {
		b.t.Error("no request was seen: the test is blind")
	}
}

// checkSelfContained fails the test when a file on disk complained or asked for anything but itself.
func (b *tab) checkSelfContained() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.problems {
		b.t.Errorf("the file complained: %s", text)
	}
	if len(b.requests) != 1 || !strings.HasPrefix(b.requests[0], "file://") {
		b.t.Errorf("the file asked for %q", b.requests)
	}
}
