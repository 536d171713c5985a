package policy2

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
)

// text is a value that reads and writes as text.
type text interface {
	comparable
	String() string
	MarshalText() ([]byte, error)
}

// checkTexts reads each text, compares the value, and reads again what it writes.
func checkTexts[T text](t *testing.T, parse func(string) (T, error), cases map[string]T, written map[string]string) {
	t.Helper()
	for in, want := range cases {
		got, err := parse(in)
		if err != nil || got != want {
			t.Errorf("%q: got %#v, %v; want %#v", in, got, err, want)
		}

		out := in
		if other, ok := written[in]; ok {
			out = other
		}
		if got.String() != out {
			t.Errorf("%q is written as %q, want %q", in, got, out)
		}
		if again, err := parse(got.String()); again != got || err != nil {
			t.Errorf("%q, read again: %#v, %v", got, again, err)
		}
	}
}

// checkErrors reads texts that are wrong and compares what is said.
func checkErrors[T any](t *testing.T, parse func(string) (T, error), cases map[string]string) {
	t.Helper()
	var zero T
	for in, want := range cases {
		got, err := parse(in)
		if err == nil || err.Error() != want {
			t.Errorf("%q: got error\n\t%v, want\n\t%s", in, err, want)
		}
		if !reflect.DeepEqual(got, zero) {
			t.Errorf("%q: got %#v with an error", in, got)
		}
	}
}

func TestDurationText(t *testing.T) {
	checkTexts(t, ParseDuration, map[string]Duration{
		"0s": 0, "90s": 90 * Second, "15m": 15 * Minute, "2h": 2 * Hour, "3d": 3 * Day, "1w": Week, "1d12h": 36 * Hour,
		"1w2d3h4m5s": Week + 2*Day + 3*Hour + 4*Minute + 5*Second, "24h": Day, "60m": Hour, "3650d": 3650 * Day,
	}, map[string]string{"90s": "1m30s", "1w": "7d", "1w2d3h4m5s": "9d3h4m5s", "24h": "1d", "60m": "1h"})

	checkErrors(t, ParseDuration, map[string]string{
		"7 days":               `"7 days" is not a duration (7d)`,
		"1 day, 2 hours":       `"1 day, 2 hours" is not a duration (1d2h)`,
		"1.5h":                 `"1.5h" is not a duration (1h30m)`,
		"2H":                   `"2H" is not a duration (2h)`,
		"5 min":                `"5 min" is not a duration (5m)`,
		"12h1d":                `"12h1d" is not a duration (1d12h)`,
		"1h1h":                 `"1h1h" is not a duration (2h)`,
		"500ms":                `500ms is out of range (whole seconds, 1s or more)`,
		"1500ms":               `1500ms is out of range (whole seconds, 1s or more)`,
		"240":                  `"240" is not a duration (such as 90s, 15m, 2h, 3d)`,
		"3M":                   `"3M" is not a duration (such as 90s, 15m, 2h, 3d)`,
		"1 month":              `"1 month" is not a duration (such as 90s, 15m, 2h, 3d)`,
		"-1h":                  `"-1h" is not a duration (such as 90s, 15m, 2h, 3d)`,
		"":                     `"" is not a duration (such as 90s, 15m, 2h, 3d)`,
		"d":                    `"d" is not a duration (such as 90s, 15m, 2h, 3d)`,
		"9223372036854775808s": `"9223372036854775808s" is not a duration (such as 90s, 15m, 2h, 3d)`,
		"99999999999999999w":   `"99999999999999999w" is not a duration (such as 90s, 15m, 2h, 3d)`,
	})

	if got := Duration(-5).String(); got != "-5s" {
		t.Errorf("a negative one is written as %q", got)
	}
}

// A duration has one text, and that text is the duration's.
func FuzzDuration(f *testing.F) {
	for _, seed := range []string{"1d12h", "7 days", "1.5h", "24h", "1w", "500ms", "0s", "١h"} {
		f.Add(seed, int64(90))
	}
	f.Fuzz(func(t *testing.T, in string, seconds int64) {
		if d, err := ParseDuration(in); err == nil {
			seconds = int64(d)
		}
		d := Duration(seconds & math.MaxInt64)
		if got, err := ParseDuration(d.String()); got != d || err != nil {
			t.Errorf("%d is written as %s and read as %d, %v", d, d, got, err)
		}
	})
}

// Whatever is read is written as a text that is read as the same.
func FuzzTexts(f *testing.F) {
	for _, seed := range []string{
		"5 in 10m", "5 per tick", "30 per 60m", "throttle to 50%", "label a", "a=b*", "512MiB", "12.50%", "0.5", "remove", "50% per 1h", "5 in 1h 1m",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		readAgain(t, ParseSize, in)
		readAgain(t, ParsePercent, in)
		readAgain(t, ParseMemory, in)
		readAgain(t, ParseLabel, in)
		readAgain(t, ParseRate, in)
		readAgain(t, ParseRestarts, in)
		readAgain(t, ParsePer, in)
		readAgain(t, ParseStep, in)
	})
}

func readAgain[T interface {
	comparable
	String() string
}](t *testing.T, parse func(string) (T, error), in string) {
	t.Helper()
	v, err := parse(in)
	if err != nil {
		if len(err.Error()) < 10 {
			t.Errorf("%q: says only %q", in, err)
		}
		return
	}
	if again, err := parse(v.String()); again != v || err != nil {
		t.Errorf("%q is written as %q and read as %#v, %v", in, v, again, err)
	}
}

func TestSizeText(t *testing.T) {
	checkTexts(t, ParseSize, map[string]Size{
		"0": 0, "100": 100, "1KiB": 1 << 10, "1536MiB": 1536 << 20, "2GiB": 2 << 30, "1TiB": 1 << 40, "1024": 1 << 10, "1024KiB": 1 << 20,
	}, map[string]string{"1024": "1KiB", "1024KiB": "1MiB"})

	checkErrors(t, ParseSize, map[string]string{
		"1GB":                 `"1GB" is not a size (such as 512MiB or 2GiB, a plain number is bytes)`,
		"1 GiB":               `"1 GiB" is not a size (such as 512MiB or 2GiB, a plain number is bytes)`,
		"1.5GiB":              `"1.5GiB" is not a size (such as 512MiB or 2GiB, a plain number is bytes)`,
		"-1":                  `"-1" is not a size (such as 512MiB or 2GiB, a plain number is bytes)`,
		"GiB":                 `"GiB" is not a size (such as 512MiB or 2GiB, a plain number is bytes)`,
		"":                    `"" is not a size (such as 512MiB or 2GiB, a plain number is bytes)`,
		"8388608TiB":          `"8388608TiB" is not a size (such as 512MiB or 2GiB, a plain number is bytes)`,
		"9223372036854775808": `"9223372036854775808" is not a size (such as 512MiB or 2GiB, a plain number is bytes)`,
	})
}

func TestPercentText(t *testing.T) {
	checkTexts(t, ParsePercent, map[string]Percent{
		"0%": 0, "0.02%": 2, "0.1%": 10, "50%": 5000, "150%": 15000, "12.50%": 1250, "10000%": 1e6,
	}, map[string]string{"12.50%": "12.5%"})

	checkErrors(t, ParsePercent, map[string]string{
		"200":         `200 is not a percent (200% is two cores)`,
		"2":           `2 is not a percent (200% is two cores)`,
		"150":         `150 is not a percent (150% is 1.5 cores)`,
		"25":          `25 is not a percent (25% is 0.25 of a core)`,
		"0.5":         `"0.5" is not a percent (50% is half a core)`,
		"1":           `1 is not a percent (100% is one core)`,
		"0.001%":      `"0.001%" is not a percent (such as 50%, with at most two decimals)`,
		"-1%":         `"-1%" is not a percent (such as 50%, with at most two decimals)`,
		"%":           `"%" is not a percent (such as 50%, with at most two decimals)`,
		"":            `"" is not a percent (such as 50%, with at most two decimals)`,
		"half":        `"half" is not a percent (such as 50%, with at most two decimals)`,
		"1234567890%": `"1234567890%" is not a percent (such as 50%, with at most two decimals)`,
	})
}

func TestLabelText(t *testing.T) {
	checkTexts(t, ParseLabel, map[string]Label{
		"ci.ttl": {Key: "ci.ttl", Any: true}, "tier=db": {Key: "tier", Value: "db"}, "empty=": {Key: "empty"},
		"branch=feature/*": {Key: "branch", Value: "feature/*"}, "a=b=c": {Key: "a", Value: "b=c"},
	}, nil)

	checkErrors(t, ParseLabel, map[string]string{
		"prod.*":   `the key of a label takes no glob (write it out)`,
		"prod?=x":  `the key of a label takes no glob (write it out)`,
		"":         `"" is not a label (KEY or KEY=GLOB)`,
		"=x":       `"=x" is not a label (KEY or KEY=GLOB)`,
		"a b":      `"a b" is not a label (KEY or KEY=GLOB)`,
		"a\x07b=c": `"a\ab=c" is not a label (KEY or KEY=GLOB)`,
	})
}

func TestRateText(t *testing.T) {
	checkTexts(t, ParseRate, map[string]Rate{
		"5 per tick": {N: 5}, "30 per 1m": {N: 30, Span: Minute}, "30 per 60m": {N: 30, Span: Hour}, "1 per 7d": {N: 1, Span: 7 * Day},
	}, map[string]string{"30 per 60m": "30 per 1h"})

	checkErrors(t, ParseRate, map[string]string{
		"5/tick":            `"5/tick" is not a rate (N per tick, N per 1m)`,
		"5 per minute":      `"5 per minute" is not a rate (N per tick, N per 1m)`,
		"5 per 0s":          `"5 per 0s" is not a rate (N per tick, N per 1m)`,
		"five per tick":     `"five per tick" is not a rate (N per tick, N per 1m)`,
		"-5 per tick":       `"-5 per tick" is not a rate (N per tick, N per 1m)`,
		"tick":              `"tick" is not a rate (N per tick, N per 1m)`,
		"9999999999 per 1m": `"9999999999 per 1m" is not a rate (N per tick, N per 1m)`,
		"50% per 1h":        `50% per 1h: percentages are specified for later, not built`,
	})
}

func TestRestartsText(t *testing.T) {
	checkTexts(t, ParseRestarts, map[string]Restarts{
		"5 in 10m": {Count: 5, Within: 10 * Minute}, "1 in 1d": {Count: 1, Within: Day},
	}, nil)

	checkErrors(t, ParseRestarts, map[string]string{
		"5":      `"5" is not a count within a time (5 in 10m)`,
		"5/10m":  `"5/10m" is not a count within a time (5 in 10m)`,
		"5 in 1": `"5 in 1" is not a count within a time (5 in 10m)`,
		"x in 1": `"x in 1" is not a count within a time (5 in 10m)`,
	})
}

func TestMemoryText(t *testing.T) {
	checkTexts(t, ParseMemory, map[string]Memory{
		"512MiB": {Size: 512 << 20}, "10%": {Percent: 1000}, "1073741824": {Size: 1 << 30},
	}, map[string]string{"1073741824": "1GiB"})

	checkErrors(t, ParseMemory, map[string]string{
		"1GB": `"1GB" is neither a size nor a percent (such as 512MiB, or 10% of the host's memory)`,
		"x%":  `"x%" is not a percent (such as 50%, with at most two decimals)`,
	})
}

func TestPerText(t *testing.T) {
	checkTexts(t, ParsePer, map[string]Per{
		"project": {By: ByProject}, "image": {By: ByImage}, "class": {By: ByClass}, "label a.b": {By: ByLabel, Label: "a.b"},
	}, nil)

	checkErrors(t, ParsePer, map[string]string{
		"owner":     `per "owner" is not known (project, image, class or label KEY)`,
		"label":     `per "label" is not known (project, image, class or label KEY)`,
		"label a=b": `per "label a=b" is not known (project, image, class or label KEY)`,
		"":          `per "" is not known (project, image, class or label KEY)`,
	})
}

func TestStepText(t *testing.T) {
	checkTexts(t, func(s string) (textRung, error) { r, err := ParseStep(s); return textRung{r}, err }, map[string]textRung{
		"keep": {Rung{Step: StepKeep}}, "warn": {Rung{Step: StepWarn}}, "throttle": {Rung{Step: StepThrottle}},
		"throttle to 50%": {Rung{Step: StepThrottle, To: 5000}}, "stop": {Rung{Step: StepStop}}, "remove": {Rung{Step: StepRemove}},
	}, nil)

	checkErrors(t, ParseStep, map[string]string{
		"delete":             `"delete" is not a step (keep, warn, throttle, stop, remove)`,
		"":                   `"" is not a step (keep, warn, throttle, stop, remove)`,
		"throttle to":        `"throttle to" is not a step (throttle, or throttle to 50%)`,
		"throttle to 0.5":    `"0.5" is not a percent (50% is half a core)`,
		"throttle to 50":     `50 is not a percent (50% is half a core)`,
		"throttle to 0%":     `throttle to 0% is out of range (from 1% to 10000%)`,
		"throttle to 0.123%": `"0.123%" is not a percent (such as 50%, with at most two decimals)`,
	})
}

// textRung is a rung as text; in JSON it is part of a ladder.
type textRung struct{ Rung }

func (r textRung) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

func TestLadderJSON(t *testing.T) {
	cases := map[string]Ladder{
		`"remove"`: {{Step: StepRemove}},
		`["warn",{"after":"1d","do":"stop"},{"after":"4d","do":"remove"}]`: {
			{Step: StepWarn}, {Step: StepStop, After: Day}, {Step: StepRemove, After: 4 * Day},
		},
		`["throttle to 50%",{"after":"1h","do":"stop"}]`: {{Step: StepThrottle, To: 5000}, {Step: StepStop, After: Hour}},
	}
	for want, ladder := range cases {
		checkJSON(t, ladder, want)
	}

	checkNoJSON[Ladder](t, `"delete"`, `{"do":"stop"}`, `["warn",{"after":"1d","do":"stop","then":"remove"}]`, `["warn",{"after":1,"do":"stop"}]`,
		`["warn",{"after":"1d","do":"halt"}]`, `7`, `["warn"`)
}

func TestKeepJSON(t *testing.T) {
	checkJSON(t, Keep{Order: Newest, Places: 2, Per: Per{By: ByLabel, Label: "preview.branch"}}, `{"newest":2,"per":"label preview.branch"}`)
	checkJSON(t, Keep{Order: Lightest, Places: 3}, `{"lightest":3}`)

	checkNoJSON[Keep](t, `{"lightest":3,"heaviest":2}`, `{"best":3}`, `{"newest":"2"}`, `{"newest":2,"per":"owner"}`, `{"newest":99999999999}`, `[]`)
}

// checkJSON compares the JSON of a value, and the value of that JSON.
func checkJSON[T any](t *testing.T, value T, want string) {
	t.Helper()
	got, err := json.Marshal(value)
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}

	var again T
	if err := json.Unmarshal(got, &again); err != nil || !reflect.DeepEqual(again, value) {
		t.Errorf("%s read again: %#v, %v", got, again, err)
	}
}

// checkNoJSON reads texts that are wrong, each of which must leave the value as it was.
func checkNoJSON[T any](t *testing.T, texts ...string) {
	t.Helper()
	for _, in := range texts {
		var got, zero T
		if err := json.Unmarshal([]byte(in), &got); err == nil {
			t.Errorf("%s was read as %#v", in, got)
		}
		if !reflect.DeepEqual(got, zero) {
			t.Errorf("%s left %#v", in, got)
		}
	}
}

func TestBudget(t *testing.T) {
	got := Budget([]Rate{{N: 20, Span: Hour}, {N: 10}, {N: 100, Span: Day}})
	want := []Rate{{N: 10}, {N: 30, Span: Minute}, {N: 20, Span: Hour}, {N: 100, Span: Day}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestDefaultIsMadeAnew(t *testing.T) {
	p := Default()
	p.Own[0].Label.Value, p.Budget[0].N, p.Rank[0] = "changed", 1, "changed"
	if !reflect.DeepEqual(Default(), Default()) || Default().Own[0].Label.Value != "true" || Default().Budget[0].N != 5 || Default().Rank[0] != "cpu" {
		t.Errorf("a change of one shows in the next: %+v", Default())
	}
}
