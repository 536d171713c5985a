package page

import (
	"os"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestReady measures how long the page takes until its first three charts are drawn; GESTOR_BENCH names a service with
// records. It compares nothing: time depends on the machine. The figures stand in docs/benchmarks/page.md.
func TestReady(t *testing.T) {
	where := os.Getenv("GESTOR_BENCH")
	if where == "" {
		t.Skip("measures: set GESTOR_BENCH to the address of a service with records")
	}
	b := browser(t)
	for _, length := range []string{"15m", "1h", "24h", "30d"} {
		p := open(t, b, "about:blank", 1440, 1400)
		began := time.Now()
		p.do(chromedp.Navigate(where + "/?range=" + length))
		for _, name := range []string{"population", "memory", "processes"} {
			p.until(name+" is drawn", "document.querySelector('#chart-"+name+" .plot')?.dataset.ready")
		}
		t.Logf("%s: ready after %d ms", length, time.Since(began).Milliseconds())
	}
}
