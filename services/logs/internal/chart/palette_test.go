package chart

import (
	"math"
	"strconv"
	"testing"
)

// rgb is linear-light sRGB in 0..1.
type rgb [3]float64

func linear(t *testing.T, hex string) rgb {
	t.Helper()
	var out rgb
	for i := range out {
		v, err := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		if err != nil || len(hex) != 7 {
			t.Fatalf("%q is not #rrggbb", hex)
		}
		c := float64(v) / 255
		if c <= 0.04045 {
			out[i] = c / 12.92
		} else {
			out[i] = math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return out
}

// contrast is WCAG 2.2's contrast ratio.
func contrast(a, b rgb) float64 {
	lum := func(c rgb) float64 { return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2] }
	la, lb := lum(a), lum(b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

// visions are the matrices of Machado, Oliveira and Fernandes (2009) at full severity, on linear RGB.
var visions = map[string][3][3]float64{
	"normal": {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	"protan": {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
	"deutan": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
	"tritan": {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
}

func seen(m [3][3]float64, c rgb) rgb {
	var out rgb
	for i, row := range m {
		out[i] = min(1, max(0, row[0]*c[0]+row[1]*c[1]+row[2]*c[2]))
	}
	return out
}

// oklab is Ottosson's OKLab of linear sRGB.
func oklab(c rgb) [3]float64 {
	l := math.Cbrt(0.4122214708*c[0] + 0.5363325363*c[1] + 0.0514459929*c[2])
	m := math.Cbrt(0.2119034982*c[0] + 0.6806995451*c[1] + 0.1073969566*c[2])
	s := math.Cbrt(0.0883024619*c[0] + 0.2817188376*c[1] + 0.6299787005*c[2])
	return [3]float64{
		0.2104542553*l + 0.7936177850*m - 0.0040720468*s,
		1.9779984951*l - 2.4285922050*m + 0.4505937099*s,
		0.0259040371*l + 0.7827717662*m - 0.8086757660*s,
	}
}

func distance(a, b [3]float64) float64 {
	return 100 * math.Sqrt((a[0]-b[0])*(a[0]-b[0])+(a[1]-b[1])*(a[1]-b[1])+(a[2]-b[2])*(a[2]-b[2]))
}

func TestPaletteCanBeSeenAndToldApart(t *testing.T) {
	for _, theme := range []Theme{ThemeLight, ThemeDark} {
		p := PaletteOf(theme)
		ground := linear(t, p.Background)
		tones := map[Tone]rgb{}
		for _, tone := range []Tone{ToneLow, ToneHigh, ToneThird, ToneFourth} {
			tones[tone] = linear(t, p.Color(tone))
			if got := contrast(tones[tone], ground); got < 2.995 { // 3:1, to two decimals
				t.Errorf("%s %s: contrast %.2f against the ground, want 3", theme, tone, got)
			}
		}
		for vision, m := range visions {
			for a, ca := range tones {
				for b, cb := range tones {
					if a >= b {
						continue
					}
					if got := distance(oklab(seen(m, ca)), oklab(seen(m, cb))); got < 20 {
						t.Errorf("%s, %s vision: %s and %s are %.1f apart, want 20", theme, vision, a, b, got)
					}
				}
			}
		}
	}
}

func TestTextOnTheGroundIsReadable(t *testing.T) {
	for _, theme := range []Theme{ThemeLight, ThemeDark} {
		p := PaletteOf(theme)
		for name, c := range map[string]string{"ink": p.Text, "muted": p.Muted} {
			if got := contrast(linear(t, c), linear(t, p.Background)); got < 4.5 {
				t.Errorf("%s %s: contrast %.2f, want 4.5 (WCAG 1.4.3)", theme, name, got)
			}
		}
	}
}

func TestRampIsMonotoneInLightness(t *testing.T) {
	for _, theme := range []Theme{ThemeLight, ThemeDark} {
		ramp := PaletteOf(theme).Ramp
		sign := 0.0
		for i := 1; i < len(ramp); i++ {
			d := oklab(linear(t, ramp[i]))[0] - oklab(linear(t, ramp[i-1]))[0]
			if sign != 0 && d*sign <= 0 {
				t.Errorf("%s: lightness turns at %s", theme, ramp[i])
			}
			sign = d
		}
	}
}
