package png

import (
	"bytes"
	"flag"
	"image"
	stdpng "image/png"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gestor.local/logs/internal/chart"
	"gestor.local/logs/internal/chart/charttest"
	"gestor.local/logs/internal/chart/charttest/modeltest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func picture(t *testing.T, m chart.Model, theme chart.Theme, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, m, theme, w, h); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPicturesMatchTheGoldenOnes(t *testing.T) {
	for i, m := range modeltest.Build(t, modeltest.First(15*time.Minute), charttest.Golden().Records()) {
		theme := []chart.Theme{chart.ThemeLight, chart.ThemeDark}[i%2]
		t.Run(m.Name, func(t *testing.T) {
			w, h := DefaultSize(m)
			got := picture(t, m, theme, w*2/3, h*2/3)

			file := filepath.Join("testdata", m.Name+".png")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}

			if share := differing(t, got, want); share > 0.002 {
				t.Errorf("%.2f %% of the pixels differ (go test -run Pictures -update writes them anew; look at them)", 100*share)
			}
		})
	}
}

// differing is the share of pixels that differ visibly: another processor may round an edge otherwise.
func differing(t *testing.T, a, b []byte) float64 {
	t.Helper()
	ia, ib := decode(t, a), decode(t, b)
	if ia.Bounds() != ib.Bounds() {
		t.Fatalf("%v is not %v", ia.Bounds(), ib.Bounds())
	}

	n := 0
	for y := range ia.Bounds().Dy() {
		for x := range ia.Bounds().Dx() {
			ra, ga, ba, _ := ia.At(x, y).RGBA()
			rb, gb, bb, _ := ib.At(x, y).RGBA()
			if apart(ra, rb)+apart(ga, gb)+apart(ba, bb) > 24 {
				n++
			}
		}
	}
	return float64(n) / float64(ia.Bounds().Dx()*ia.Bounds().Dy())
}

func apart(a, b uint32) int { return max(int(a>>8)-int(b>>8), int(b>>8)-int(a>>8)) }

func decode(t *testing.T, b []byte) image.Image {
	t.Helper()
	img, err := stdpng.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestPicturesAreTheSameEveryTime(t *testing.T) {
	records := charttest.Run{Start: charttest.Epoch(), Length: 5 * time.Minute, Seed: 6}.Records()
	for _, name := range []string{"memory", "top"} {
		draw := func() []byte {
			m := modeltest.Build(t, modeltest.First(5*time.Minute), records, name)[0]
			return picture(t, m, chart.ThemeLight, 600, 400)
		}
		if a, b := draw(), draw(); !bytes.Equal(a, b) {
			t.Errorf("%s: two pictures of one model differ", name)
		}
	}
}

func TestPicturesOfAwkwardModels(t *testing.T) {
	hostile := modeltest.Build(t, modeltest.First(time.Hour), charttest.HostileRecords(2*time.Minute, 7))
	for _, m := range append(modeltest.Empty(t), hostile...) {
		img := decode(t, picture(t, m, chart.ThemeDark, MinPixels, MinPixels))
		if img.Bounds().Dx() != MinPixels {
			t.Errorf("%s: width %d", m.Name, img.Bounds().Dx())
		}
	}

	if err := Write(&bytes.Buffer{}, chart.Model{}, chart.ThemeLight, 5000, 100); err == nil {
		t.Error("a picture of 5000 pixels was drawn")
	}
}

func TestPicturesOfSums(t *testing.T) {
	for _, m := range modeltest.OfSums(t) {
		if m.Empty != "" {
			t.Errorf("%s is empty: %s", m.Name, m.Empty)
		}
		picture(t, m, chart.ThemeLight, 600, 400)
	}
}

// TestAbsurdNumbersAreDrawnAndEnd: a picture must not take for ever.
func TestAbsurdNumbersAreDrawnAndEnd(t *testing.T) {
	for _, m := range modeltest.Build(t, modeltest.First(time.Hour), charttest.Absurd()) {
		picture(t, m, chart.ThemeLight, 400, 400)
	}
}

func BenchmarkPNG(b *testing.B) {
	for _, m := range modeltest.Build(b, modeltest.First(time.Hour), charttest.Hour()) {
		b.Run(m.Name, func(b *testing.B) {
			w, h := DefaultSize(m)
			for b.Loop() {
				if err := Write(io.Discard, m, chart.ThemeLight, w, h); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
