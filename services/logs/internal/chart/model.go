package chart

import "time"

// Model is everything one chart shows, in base units (bytes, per cent of a core, seconds, counts).
type Model struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	// About says in one sentence what the chart is for.
	About string `json:"about"`
	// Summary is the computed sentence that says what the picture shows, for people who do not see it.
	Summary string `json:"summary"`
	// Notes name what was left out, merged or assumed.
	Notes []string  `json:"notes,omitempty"`
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	// StepMS is the width of a bucket of merged readings, 0 when every reading is a point of its own.
	StepMS int64 `json:"step_ms,omitempty"`
	// Empty says why there is nothing to draw and what to do; "" when there is something.
	Empty string `json:"empty,omitempty"`
	Panes []Pane `json:"panes"`
}

// Pane is one coordinate system of a chart.
type Pane struct {
	Title string `json:"title"`
	X     Axis   `json:"x"`
	Y     Axis   `json:"y"`
	// Weight is the pane's share of the chart's height among its column, Column its place from the left.
	Weight float64  `json:"weight"`
	Column int      `json:"column,omitempty"`
	Bands  []Band   `json:"bands,omitempty"`
	Series []Series `json:"series"`
}

// AxisKind says what an axis counts.
type AxisKind string

// Kinds of axes.
const (
	AxisTime     AxisKind = "time"     // milliseconds since the Unix epoch
	AxisValue    AxisKind = "value"    // a quantity in Unit
	AxisCategory AxisKind = "category" // index into Categories
)

// Axis is one direction of a pane.
type Axis struct {
	Kind AxisKind `json:"kind"`
	// Label says what the values mean: it stands above a standing axis, and in the pane's heading for a lying one.
	Label      string   `json:"label,omitempty"`
	Unit       Unit     `json:"unit,omitempty"`
	Categories []string `json:"categories,omitempty"`
	// Min and Max fix the ends of a value axis in base units; nil leaves them to the renderer (from 0).
	Min *float64 `json:"min,omitempty"`
	Max *float64 `json:"max,omitempty"`
	// Hidden drops the tick labels (lanes have no numbers).
	Hidden bool `json:"hidden,omitempty"`
}

func timeAxis() Axis { return Axis{Kind: AxisTime} }

func valueAxis(label string, u Unit) Axis {
	zero := 0.0
	return Axis{Kind: AxisValue, Label: label, Unit: u, Min: &zero}
}

// SeriesKind says how a series is drawn.
type SeriesKind string

// Kinds of series.
const (
	KindLine SeriesKind = "line"
	KindStep SeriesKind = "step" // holds its value until the next point
	KindBar  SeriesKind = "bar"
	KindMark SeriesKind = "mark" // single glyphs
	KindSpan SeriesKind = "span" // thick horizontal strokes from X to X2
	KindHeat SeriesKind = "heat" // cells of two category axes, coloured by Z
)

// Series is one set of points of a pane.
type Series struct {
	// Name is what people read; no two series of a pane share it. ID, where set, is the container's.
	Name string     `json:"name"`
	ID   string     `json:"id,omitempty"`
	Kind SeriesKind `json:"kind"`
	Tone Tone       `json:"tone"`
	// Dash and Glyph tell series of one tone apart without colour.
	Dash  Dash  `json:"dash,omitempty"`
	Glyph Glyph `json:"glyph,omitempty"`
	// Stack joins series that are drawn on top of each other; Fill is the opacity of the area below.
	Stack  string  `json:"stack,omitempty"`
	Fill   float64 `json:"fill,omitempty"`
	Points []Point `json:"points"`
	// Stat is computed from every reading, merged or not; nil for series without a course over time.
	Stat *Stat `json:"stat,omitempty"`
}

// Point is one reading, or one bucket of merged readings.
type Point struct {
	// X is milliseconds since the epoch or a category index, X2 the end of a span.
	X  float64 `json:"x"`
	X2 float64 `json:"x2,omitempty"`
	Y  float64 `json:"y"`
	// Z is the value of a heat cell.
	Z float64 `json:"z,omitempty"`
	// Min and Max of the merged readings; both equal Y where only one was merged.
	Min float64 `json:"min,omitempty"`
	Max float64 `json:"max,omitempty"`
	// Gap breaks the line: nothing is known between the neighbours.
	Gap bool `json:"gap,omitempty"`
	// Label is what a reader is told about this point beside its value.
	Label string `json:"label,omitempty"`
	// Tone colours this point alone (bars of mixed classes); "" takes the series' tone.
	Tone Tone `json:"tone,omitempty"`
}

// Band is a shaded range of the Y axis: what the policy allows.
type Band struct {
	Label string  `json:"label"`
	From  float64 `json:"from"`
	To    float64 `json:"to"`
	Tone  Tone    `json:"tone"`
}

// Stat are the legend's figures of one series, over all its readings in the range.
type Stat struct {
	Last float64 `json:"last"`
	Avg  float64 `json:"avg"`
	Max  float64 `json:"max"`
	N    int     `json:"n"`
	// Gone says that there is no value now: what the series is about has ended.
	Gone bool `json:"gone,omitempty"`
}

// LastText is the newest value in words, a dash for what has ended.
func (s Stat) LastText(u Unit) string {
	if s.Gone {
		return "–"
	}
	return FormatValue(u, s.Last)
}

// Dash is a line style.
type Dash string

// Dashes.
const (
	DashSolid  Dash = "solid"
	DashDashed Dash = "dashed"
	DashDotted Dash = "dotted"
)

// Glyph is the shape of a point.
type Glyph string

// Glyphs.
const (
	GlyphNone     Glyph = ""
	GlyphCircle   Glyph = "circle"
	GlyphSquare   Glyph = "rect"
	GlyphTriangle Glyph = "triangle"
	GlyphDiamond  Glyph = "diamond"
	GlyphPin      Glyph = "arrow"
)

// Tone is a role that the palette gives a colour. A class has one tone everywhere.
type Tone string

// Tones.
const (
	ToneLow     Tone = "low"
	ToneHigh    Tone = "high"
	ToneThird   Tone = "third"
	ToneFourth  Tone = "fourth"
	ToneNeutral Tone = "neutral"
)

// HasData says whether any series has a point that is not a gap.
func (m Model) HasData() bool {
	for _, p := range m.Panes {
		for _, s := range p.Series {
			for _, pt := range s.Points {
				if !pt.Gap {
					return true
				}
			}
		}
	}

	return false
}
