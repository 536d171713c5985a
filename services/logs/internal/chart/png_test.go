package chart

import (
	"bytes"
	"flag"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/chart/charttest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func picture(t *testing.T, m Model, theme Theme, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WritePNG(&b, m, theme, w, h); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPicturesMatchTheGoldenOnes(t *testing.T) {
	run, q := goldenRun()
	for i, m := range build(t, q, run.Records()) {
		theme := []Theme{ThemeLight, ThemeDark}[i%2]
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
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestPicturesAreTheSameEveryTime(t *testing.T) {
	records := charttest.Run{Start: epoch(), Length: 5 * time.Minute, Seed: 6}.Records()
	q := Query{Since: epoch(), Until: epoch().Add(5 * time.Minute), Newest: epoch()}
	for _, name := range []string{"memory", "top"} {
		a := picture(t, one(t, q, records, name), ThemeLight, 600, 400)
		b := picture(t, one(t, q, records, name), ThemeLight, 600, 400)
		if !bytes.Equal(a, b) {
			t.Errorf("%s: two pictures of one model differ", name)
		}
	}
}

func TestPicturesOfAwkwardModels(t *testing.T) {
	names := charttest.Hostile()
	hostile := charttest.Run{Start: epoch(), Length: 2 * time.Minute, Seed: 7, Name: func(n int) string { return names[n%len(names)] }}.Records()
	for _, m := range append(build(t, hour(nil), nil), build(t, hour(hostile), hostile)...) {
		img := decode(t, picture(t, m, ThemeDark, MinPixels, MinPixels))
		if img.Bounds().Dx() != MinPixels {
			t.Errorf("%s: width %d", m.Name, img.Bounds().Dx())
		}
	}
	if err := WritePNG(&bytes.Buffer{}, Model{}, ThemeLight, 5000, 100); err == nil {
		t.Error("a picture of 5000 pixels was drawn")
	}
}

// TestAbsurdNumbersAreDrawnAndEnd: figures are a producer's word, and a picture must not take for ever.
func TestAbsurdNumbersAreDrawnAndEnd(t *testing.T) {
	const huge = math.MaxUint64
	records := charttest.Run{Start: epoch(), Length: 3 * time.Minute, Seed: 12}.Records()
	for i, r := range records {
		switch b := r.Body.(type) {
		case contract.HostBody:
			if i%2 == 0 {
				b.Memory.FreeKB, b.Memory.UsedKB, b.GovernedRAMKB = huge, huge, huge
			}
			b.Classes[0].Owned, b.Classes[1].Owned, b.Classes[1].Quota = math.MaxInt32, -5, math.MaxInt32
			b.Timings = contract.Timings{LateUS: huge, ReadUS: huge, ActUS: huge}
			b.SpoolRecords, b.SkippedTicks = -1, huge
			records[i].Body = b
		case contract.ContainerBody:
			b.CPUMillicores, b.RAMKB, b.AgeUS = huge, uint64(i), huge
			records[i].Body = b
		case contract.ActionBody:
			b.LatencyUS = huge
			records[i].Body = b
		}
	}
	for _, m := range build(t, hour(records), records) {
		picture(t, m, ThemeLight, 400, 400)
		marshal(t, m, ThemeLight)
		m.Table()
	}
}
