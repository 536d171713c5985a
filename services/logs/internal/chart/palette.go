package chart

// Theme is the ground a chart is drawn on.
type Theme string

// Themes.
const (
	ThemeLight Theme = "light"
	ThemeDark  Theme = "dark"
)

// Palette gives every role a colour ("#rrggbb"). The four tones that carry meaning keep 3:1 contrast against the ground
// and an OKLab distance of 20 from each other, also as protanopes, deuteranopes and tritanopes see them; palette_test.go
// computes it (Machado, Oliveira and Fernandes 2009; WCAG 2.2, 1.4.11).
type Palette struct {
	Background, Text, Muted, Grid string
	Low, High, Third, Fourth      string
	// Ramp colours heat cells from little to much.
	Ramp []string
}

// PaletteOf returns the colours of a theme; an unknown one is light.
func PaletteOf(t Theme) Palette {
	if t == ThemeDark {
		return Palette{
			Background: "#111827", Text: "#e5e7eb", Muted: "#9ca3af", Grid: "#273244",
			Low: "#56b4e9", High: "#e69f00", Third: "#5555cc", Fourth: "#aa4433",
			Ramp: []string{"#1d2b45", "#23527c", "#2f82b5", "#56b4e9", "#b9e2fb"},
		}
	}

	return Palette{
		Background: "#ffffff", Text: "#1b2430", Muted: "#5b6675", Grid: "#e6e9ee",
		Low: "#0072b2", High: "#d55e00", Third: "#112277", Fourth: "#882200",
		Ramp: []string{"#e8f1f8", "#b3d3e8", "#6aa9d2", "#0072b2", "#0b2f5b"},
	}
}

// Color is the tone's colour.
func (p Palette) Color(t Tone) string {
	switch t {
	case ToneLow:
		return p.Low
	case ToneHigh:
		return p.High
	case ToneThird:
		return p.Third
	case ToneFourth:
		return p.Fourth
	default:
		return p.Muted
	}
}
