package line

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// What is read is read as package time does, also what is read fast; what is no time there is none here.
func TestTimesAreReadAsByPackageTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := func(n, most int) string {
			return rapid.StringOfN(rapid.SampledFrom([]rune("0123456789"[:most+1])), n, n, -1).Draw(t, "digits")
		}
		text := digits(4, 9) + "-" + digits(1, 1) + digits(1, 9) + "-" + digits(1, 3) + digits(1, 9) + "T" +
			digits(1, 2) + digits(1, 9) + ":" + digits(1, 6) + digits(1, 9) + ":" + digits(1, 5) + digits(1, 9)
		if n := rapid.IntRange(0, 11).Draw(t, "fraction"); n > 0 {
			text += "." + digits(n-1, 9)
		}
		text += rapid.SampledFrom([]string{"Z", "Z", "Z", "+01:00", "", ",", "-00:00"}).Draw(t, "zone")
		if at := rapid.IntRange(0, 200).Draw(t, "spoilt"); at < len(text) {
			text = text[:at] + rapid.SampledFrom([]string{"", "/", ":", "x", "\x80"}).Draw(t, "with") + text[at+1:]
		}
		var want time.Time
		err := want.UnmarshalText([]byte(text))
		got, ok := ParseTime([]byte(text))
		if ok && (err != nil || !got.Equal(want)) || isRFC3339([]byte(text)) && ok != (err == nil) {
			t.Fatalf("%q: %v %v, want %v %v", text, got, ok, want, err)
		}
		if _, ok := parseUTC([]byte(text)); ok {
			if err != nil || got.Location() != time.UTC {
				t.Fatalf("%q: %v, %v", text, err, got.Location())
			}
		}
	})
}

func TestTimeTable(t *testing.T) {
	for text, want := range map[string]bool{
		"2026-11-23T11:40:02Z": true, "2026-11-23T11:40:02.5Z": true, "2026-11-23T11:40:02.123456789Z": true,
		"2024-02-29T23:59:59Z": true, "2026-02-29T23:59:59Z": false, "2026-04-31T00:00:00Z": false, "2026-13-01T00:00:00Z": false,
		"2026-00-01T00:00:00Z": false, "2026-01-00T00:00:00Z": false, "2026-01-01T24:00:00Z": false, "2026-01-01T00:60:00Z": false,
		"2026-01-01T00:00:60Z": false, "2026-01-01T00:00:00.Z": false, "2026-01-01 00:00:00Z": false, "2026-01-01T00:00:00": false,
		"": false, "Z": false,
	} {
		if _, ok := parseUTC([]byte(text)); ok != want {
			t.Errorf("%q: %v", text, ok)
		}
	}
}

// RFC 3339 is taken whole, and nothing else. The leap seconds are those of the JSON Schema test suite.
func TestTimesAreThoseOfRFC3339(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-23t11:40:02z":          "2026-11-23T11:40:02Z",
		"2026-11-23t11:40:02.5+01:00":   "2026-11-23T10:40:02.5Z",
		"2016-12-31T23:59:60Z":          "2017-01-01T00:00:00Z",
		"2016-12-31T23:59:60.25Z":       "2017-01-01T00:00:00.25Z",
		"1998-12-31T15:59:60.123-08:00": "1999-01-01T00:00:00.123Z",
		"1998-12-31T23:58:60Z":          "",
		"1998-12-31T22:59:60Z":          "",
		"1998-12-31T23:59:61Z":          "",
		"1998-12-31T23:59:60":           "",
		"2026-11-23T11:40:02,5Z":        "",
		"2026-11-23T1:40:02Z":           "",
		"2026-11-23 11:40:02Z":          "",
		"2026-11-23T11:40Z":             "",
		"2026-11-23T11:40:02+24:00":     "",
		"2026-11-23":                    "",
		"":                              "",
	} {
		got, ok := ParseTime([]byte(text))
		if said := got.UTC().Format(time.RFC3339Nano); ok != (want != "") || ok && said != want {
			t.Errorf("%q: %s %t, want %q", text, said, ok, want)
		}
	}
}
