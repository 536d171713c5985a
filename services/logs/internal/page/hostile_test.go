package page

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"gestor.local/logs/internal/chart"
	"gestor.local/logs/internal/chart/charttest"
)

// walk calls fn for every element of a page, as a browser would see it.
func walk(t *testing.T, page []byte, fn func(*html.Node)) {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			fn(n)
		}
	}
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// checkMarkup fails on anything in a page that could run although the service did not write it.
func checkMarkup(t *testing.T, where string, page []byte) {
	t.Helper()
	walk(t, page, func(n *html.Node) {
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "srcdoc" {
				t.Errorf("%s: <%s %s=%q>", where, n.Data, a.Key, a.Val)
			}
			if a.Key == "href" || a.Key == "src" {
				if !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") {
					t.Errorf("%s: <%s %s=%q> leads away", where, n.Data, a.Key, a.Val)
				}
			}
		}
		switch n.Data {
		case "script":
			if attr(n, "src") == "" && attr(n, "type") != "application/json" {
				t.Errorf("%s: an inline script: %.80q", where, text(n))
			}
		case "svg", "iframe", "object", "embed", "base":
			t.Errorf("%s: <%s>", where, n.Data)
		case "img":
			if !strings.HasPrefix(attr(n, "src"), "/assets/") && !strings.HasPrefix(attr(n, "src"), "/v1/charts/") {
				t.Errorf("%s: <img src=%q>", where, attr(n, "src"))
			}
		}
	})
}

func text(n *html.Node) string {
	if n.FirstChild == nil {
		return ""
	}
	return n.FirstChild.Data
}

func TestHostileNamesAreTextEverywhere(t *testing.T) {
	names := charttest.Hostile()
	s := sampleRun(func(n int) string { return names[n%len(names)] })
	h, _ := serve(t, s)
	paths := []string{"/", "/now"}
	for _, name := range chart.Names() {
		paths = append(paths, "/v1/charts/"+name+".html")
	}
	for _, id := range ids(s, 40) {
		paths = append(paths, "/containers/"+id)
	}

	for _, p := range paths {
		checkMarkup(t, p, get(t, h, p).Body.Bytes())
	}
	if page := get(t, h, "/now").Body.String(); !strings.Contains(page, "&lt;") {
		t.Error("no hostile name reached the page: the test is blind")
	}
}

// checkSelfContained holds what a file on the volume promises: it asks nothing, and its policy allows its own two
// scripts and its style alone.
func checkSelfContained(t *testing.T, where string, page []byte) {
	t.Helper()
	policy, scripts := "", 0
	walk(t, page, func(n *html.Node) {
		if n.Data == "meta" && attr(n, "http-equiv") == "Content-Security-Policy" {
			policy = attr(n, "content")
		}
		if attr(n, "src") != "" || n.Data == "link" {
			t.Errorf("%s: asks for something: <%s>", where, n.Data)
		}
		if n.Data == "script" && attr(n, "type") == "" || n.Data == "style" {
			scripts++
			sum := sha256.Sum256([]byte(text(n)))
			if hash := base64.StdEncoding.EncodeToString(sum[:]); !strings.Contains(policy, "'sha256-"+hash+"'") {
				t.Errorf("%s: its policy %.200q does not allow its <%s>", where, policy, n.Data)
			}
		}
	})

	if scripts != 3 {
		t.Errorf("%s: %d scripts and styles, want the library, the page's script and the style", where, scripts)
	}
	if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("%s: policy %q", where, policy)
	}
}
