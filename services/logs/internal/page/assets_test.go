package page

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"strings"
	"testing"
)

func TestVendoredLibraryIsTheOneThatWasReleased(t *testing.T) {
	sums, err := fs.ReadFile(embedded, "assets/echarts-5.6.0/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	for lines := bufio.NewScanner(bytes.NewReader(sums)); lines.Scan(); files++ {
		want, name, _ := strings.Cut(lines.Text(), "  ")
		body, err := fs.ReadFile(embedded, "assets/echarts-5.6.0/"+name)
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s is not the file of SHA256SUMS", name)
		}
	}
	if files != 3 {
		t.Errorf("%d files, want the library, LICENSE and NOTICE", files)
	}
}

func TestPageNamesNoOtherHost(t *testing.T) {
	a, err := LoadAssets()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{assetApp, assetStyle} {
		if strings.Contains(string(a.byName[name].raw), "://") {
			t.Errorf("%s names a host", name)
		}
	}
}

func TestAssetsAreKeptForEverAndPacked(t *testing.T) {
	h, _ := serve(t, sampleRun(nil))
	a, err := LoadAssets()
	if err != nil {
		t.Fatal(err)
	}
	one := a.byName[assetECharts]
	gzipped, raw := get(t, h, one.url, "Accept-Encoding", "gzip, br"), get(t, h, one.url)
	if gzipped.Header().Get("Content-Encoding") != "gzip" || raw.Header().Get("Content-Encoding") != "" {
		t.Error("compression does not follow Accept-Encoding")
	}
	if got := raw.Body.Len(); got != len(one.raw) {
		t.Errorf("%d bytes, want %d", got, len(one.raw))
	}
	if !strings.Contains(gzipped.Header().Get("Cache-Control"), "immutable") {
		t.Error("not kept by browsers")
	}
	if w := ask(t, h, "GET", "/assets/../page.go"); w.Code == 200 {
		t.Error("a path that is no asset was served")
	}
}

func TestPageIsSmall(t *testing.T) {
	h, _ := serve(t, sampleRun(nil))
	a, err := LoadAssets()
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{"/", a.byName[assetECharts].url, a.byName[assetApp].url, a.byName[assetStyle].url, a.byName[assetIcon].url}
	for _, name := range []string{"population", "memory", "processes", "lives", "top", "heatmap", "lifetimes", "control", "health"} {
		paths = append(paths, "/v1/charts/"+name+".json")
	}
	total := 0
	for _, p := range paths {
		total += get(t, h, p, "Accept-Encoding", "gzip").Body.Len()
	}
	if total > 600_000 {
		t.Errorf("the page with its charts is %d bytes compressed, want at most 600000", total)
	}
	t.Logf("%d bytes compressed", total)
}
