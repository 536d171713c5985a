package chart

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
)

// Unit is a base unit of values.
type Unit string

// Units. Per cent of a core: 100 = one core all the time.
const (
	UnitBytes   Unit = "bytes"
	UnitCPU     Unit = "cpu_percent"
	UnitSeconds Unit = "seconds"
	UnitCount   Unit = "count"
	UnitRate    Unit = "per_second"
)

// Scale divides the base unit for one whole axis, so that an axis never mixes units.
type Scale struct {
	Div    float64
	Suffix string
}

// ScaleFor chooses the unit of an axis whose largest value is top. Bytes are IEC (1 KiB = 1024 B).
func ScaleFor(u Unit, top float64) Scale {
	switch u {
	case UnitBytes:
		return scaleBytes(top)
	case UnitSeconds:
		return scaleSeconds(top)
	case UnitCPU:
		return Scale{1, "%"}
	case UnitRate:
		return Scale{1, "/s"}
	default:
		return Scale{1, ""}
	}
}

func scaleBytes(top float64) Scale {
	for _, s := range []Scale{{1 << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if math.Abs(top) >= s.Div {
			return s
		}
	}
	return Scale{1, "B"}
}

func scaleSeconds(top float64) Scale {
	switch a := math.Abs(top); {
	case a >= 2*3600:
		return Scale{3600, "h"}
	case a >= 120:
		return Scale{60, "min"}
	case a >= 1:
		return Scale{1, "s"}
	case a >= 1e-3:
		return Scale{1e-3, "ms"}
	default:
		return Scale{1e-6, "µs"}
	}
}

// FormatValue writes a value with the unit that suits it alone.
func FormatValue(u Unit, v float64) string {
	s := ScaleFor(u, v)
	text := FormatNumber(v / s.Div)
	switch {
	case s.Suffix == "":
		return text
	case s.Suffix == "/s":
		return text + "/s"
	default:
		return text + " " + s.Suffix
	}
}

// FormatNumber keeps three significant digits below 1000 and whole numbers above.
func FormatNumber(v float64) string {
	if v == 0 { // also the negative one
		return "0"
	}

	// Three significant digits are what a reader compares; more would only move.
	digits := 0
	switch a := math.Abs(v); {
	case a == math.Trunc(a) || a >= 100:
	case a >= 10:
		digits = 1
	default:
		digits = 2
	}

	return strconv.FormatFloat(v, 'f', digits, 64)
}

// FormatDuration writes a length of time as a reader says it: "40 s", "3 min 20 s", "2 h 5 min", "4 d 3 h".
func FormatDuration(d time.Duration) string {
	if d < 0 {
		d = 0
	}

	d = d.Round(time.Second)
	parts := []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}}

	// The largest unit that fits and the next one: who reads of days does not ask for seconds.
	for i, p := range parts {
		if d < p.of {
			continue
		}
		text := strconv.Itoa(int(d/p.of)) + " " + p.name
		if i+1 < len(parts) {
			if rest := d % p.of / parts[i+1].of; rest > 0 {
				text += " " + strconv.Itoa(int(rest)) + " " + parts[i+1].name
			}
		}
		return text
	}
	return "0 s"
}

// Millis is a time as it stands on a time axis: milliseconds since the Unix epoch.
func Millis(t time.Time) float64 { return float64(t.UnixMilli()) }

func bytesFromKB(kb uint64) float64   { return float64(kb) * 1024 }
func cpuPercent(milli uint64) float64 { return float64(milli) / 10 }
func secondsFromUS(us uint64) float64 { return float64(us) / 1e6 }
func timeAt(ms float64) time.Time     { return time.UnixMilli(int64(ms)).UTC() }
func plural(n int, s string) string   { return pluralOf(n, s, s+"s") }

func pluralOf(n int, one, plural string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + plural
}

// sortedKeys are the keys of a map in order, so that equal records give equal charts.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
