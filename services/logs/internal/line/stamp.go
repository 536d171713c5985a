package line

import "time"

// parseStamp reads an RFC 3339 time. What this service writes, in UTC, it reads without the generality that costs most.
func parseStamp(b []byte) (t time.Time, ok bool) {
	if t, ok := parseUTC(b); ok {
		return t, true
	}
	err := t.UnmarshalText(b)
	return t, err == nil
}

// parseUTC reads 2026-11-23T11:40:02Z and 2026-11-23T11:40:02.123456789Z.
func parseUTC(b []byte) (t time.Time, ok bool) {
	const form = "0000-00-00T00:00:00"
	n := len(b) - 1
	if n < len(form) || b[n] != 'Z' {
		return t, false
	}
	for i := range len(form) {
		if c := b[i]; c != form[i] && (form[i] != '0' || c-'0' > 9) {
			return t, false
		}
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
