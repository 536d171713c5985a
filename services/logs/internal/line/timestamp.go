package line

import (
	"bytes"
	"time"
)

// ParseTime reads an RFC 3339 time, and nothing else: t and z may be in lower case (section 5.6), the point of a fraction is
// no comma. A leap second, which is at the end of a day of UTC, is the first second of the next: Unix time has none.
func ParseTime(b []byte) (t time.Time, ok bool) {
	if t, ok := parseUTC(b); ok {
		return t, true
	}

	const date, form = len("2006-01-02"), len("2006-01-02T15:04:05")
	text := bytes.ToUpper(b)
	if !isRFC3339(text) {
		return t, false
	}

	// Package time knows no leap second: the second before it is read, and one added.
	leap := string(text[form-2:form]) == "60"
	if leap {
		copy(text[form-2:], "59")
	}
	if t.UnmarshalText(text) != nil {
		return t, false
	}

	// Leap seconds are inserted at the end of a day of UTC: with a zone's offset that is another hour of the local one.
	if leap {
		if utc := t.UTC(); utc.Hour() != 23 || utc.Minute() != 59 {
			return time.Time{}, false
		}
		t = t.Add(time.Second)
	}
	return t, true
}

// isRFC3339 says whether a text has the form of an RFC 3339 time, which package time takes some others for
// (https://go.dev/issue/54580).
func isRFC3339(text []byte) bool {
	rest, ok := cutForm(text, "0000-00-00T00:00:00")
	if !ok {
		return false
	}

	if len(rest) > 0 && rest[0] == '.' {
		digits := len(rest[1:]) - len(bytes.TrimLeft(rest[1:], "0123456789"))
		if digits == 0 {
			return false
		}
		rest = rest[1+digits:]
	}

	if string(rest) == "Z" {
		return true
	}
	if len(rest) == 0 || rest[0] != '+' && rest[0] != '-' {
		return false
	}
	end, ok := cutForm(rest[1:], "00:00")
	return ok && len(end) == 0 && string(rest[1:3]) < "24" && string(rest[4:]) < "60"
}

// cutForm cuts off what has the given form: 0 stands for a digit.
func cutForm(text []byte, form string) (rest []byte, ok bool) {
	if len(text) < len(form) {
		return nil, false
	}
	for i := range len(form) {
		if c := text[i]; c != form[i] && (form[i] != '0' || c-'0' > 9) {
			return nil, false
		}
	}
	return text[len(form):], true
}

// parseUTC reads 2026-11-23T11:40:02Z and 2026-11-23T11:40:02.123456789Z.
func parseUTC(b []byte) (t time.Time, ok bool) {
	const form = "0000-00-00T00:00:00"
	n := len(b) - 1
	if n < len(form) || b[n] != 'Z' {
		return t, false
	}
	if _, ok := cutForm(b, form); !ok {
		return t, false
	}

	nanosecond := 0
	if n > len(form) {
		if b[len(form)] != '.' || n == len(form)+1 || n > len(form)+10 {
			return t, false
		}
		for i, unit := len(form)+1, 100_000_000; i < n; i, unit = i+1, unit/10 {
			if b[i]-'0' > 9 {
				return t, false
			}
			nanosecond += int(b[i]-'0') * unit
		}
	}

	two := func(i int) int { return int(b[i]-'0')*10 + int(b[i+1]-'0') }
	day, hour, minute, second := two(8), two(11), two(14), two(17)
	t = time.Date(two(0)*100+two(2), time.Month(two(5)), day, hour, minute, second, nanosecond, time.UTC)

	// A day that its month does not have, or an hour of 24, would be another day.
	return t, two(5)-1 < 12 && two(5) > 0 && t.Day() == day && hour < 24 && minute < 60 && second < 60
}
