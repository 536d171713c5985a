package respond

import (
	"net/http"
	"strings"
	"testing"
)

func TestPicturesAndSmallAnswersAreNotPacked(t *testing.T) {
	for name, a := range map[string]struct {
		media string
		size  int
		want  string
	}{"picture": {"image/png", 1 << 16, ""}, "small": {"text/html", minGzipBytes - 1, ""}, "page": {"text/html", 1 << 16, "gzip"}} {
		c, w := aRequest(t.Context(), http.MethodGet, "/")
		c.Request.Header.Set("Accept-Encoding", "gzip")
		Body(c, a.media, []byte(strings.Repeat("x", a.size)))
		if got := w.Header().Get("Content-Encoding"); got != a.want {
			t.Errorf("%s: %q, want %q", name, got, a.want)
		}
	}
}

func TestGzipIsRefusedInEverySpelling(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, "gzip": true, "GZIP, br": true, "br": false, "gzip;q=1.0": true, "gzip; q=0.5": true,
		"gzip;q=0": false, "gzip;q=0.0": false, "gzip; Q=0.000": false, "br, gzip ; q=0.00": false,
	} {
		c, _ := aRequest(t.Context(), http.MethodGet, "/")
		c.Request.Header.Set("Accept-Encoding", header)
		if got := AcceptsGzip(c); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
}
