package policy2

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"gestor.local/contract"
)

// Duration is a length of time in whole seconds. Its text has descending units: 1d12h, 90m as 1h30m; a day is 24 h.
type Duration int64

// Units of a Duration.
const (
	Second Duration = 1
	Minute          = 60 * Second
	Hour            = 60 * Minute
	Day             = 24 * Hour
	Week            = 7 * Day
)

// Size is a number of bytes.
type Size int64

// Percent is a share in hundredths of a percent: 1% is 100. Of CPU it is a share of one core, so that 200% is two cores.
type Percent int64

// percent is one percent.
const percent Percent = 100

// unit is the letter or word of a unit, and how much one of it is.
type unit struct {
	word   string
	amount int64
}

// durationUnits are the units that a duration may be written in, in the order in which they may stand.
var durationUnits = []unit{
	{"w", int64(Week)}, {"d", int64(Day)}, {"h", int64(Hour)}, {"m", int64(Minute)}, {"s", int64(Second)},
}

// sizeUnits are the units of a size. A number without one is bytes.
var sizeUnits = []unit{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// wrong is the error of a text that cannot be read: Problems with one entry, which has neither a place nor a line.
func wrong(what, hint string) error { return contract.Problems{{What: what, Hint: hint}} }

// ParseDuration reads whole numbers with descending units: 90s, 15m, 2h, 3d, 1w, 1d12h. The error is contract.Problems and
// says what was probably meant.
func ParseDuration(text string) (Duration, error) {
	rest, total := text, int64(0)
	for _, u := range durationUnits {
		number := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
		after, ok := strings.CutPrefix(rest[len(number):], u.word)
		if number == "" || !ok {
			continue
		}

		// Compared by division: the product may be beyond 64 bits.
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n > (math.MaxInt64-total)/u.amount {
			break
		}
		total += n * u.amount
		rest = after
	}

	if text == "" || rest != "" {
		return 0, notADuration(text)
	}
	return Duration(total), nil
}

func notADuration(text string) error {
	what := fmt.Sprintf("%q is not a duration", text)
	if milliseconds.MatchString(text) {
		return wrong(text+" is out of range", "whole seconds, 1s or more")
	}
	if guess := guessDuration(text); guess > 0 {
		return wrong(what, guess.String())
	}
	return wrong(what, "such as 90s, 15m, 2h, 3d")
}

// spelled finds the numbers of a duration that is written in another way; the groups behind number and decimals are the
// units in the order of durationUnits.
var (
	spelled = regexp.MustCompile(`(\d{1,6})(?:\.(\d{1,2}))?\s*(?:((?i:weeks?|w))|((?i:days?|d))|((?i:hours?|hrs?|h))|` +
		`((?i:minutes?|mins?)|m)|((?i:seconds?|secs?|s)))[\s,]*`)
	milliseconds = regexp.MustCompile(`^\d+ms$`)
)

// guessDuration reads what people write instead: 7 days, 1.5h, 12h1d. It is 0 where nothing can be made of the text.
func guessDuration(text string) Duration {
	if spelled.ReplaceAllString(text, "") != "" {
		return 0
	}

	total := int64(0)
	for _, m := range spelled.FindAllStringSubmatch(text, -1) {
		for i, u := range durationUnits {
			if m[3+i] != "" {
				total += u.amount * hundredths(m[1], m[2])
			}
		}
	}

	// A guess is a duration, which has no fractions of a second.
	if total%100 != 0 {
		return 0
	}
	return Duration(total / 100)
}

// hundredths reads a number with up to two decimals, of few enough digits that it fits.
func hundredths(whole, decimals string) int64 {
	n, _ := strconv.ParseInt(whole+(decimals + "00")[:2], 10, 64)
	return n
}

// String writes the one form of a duration: descending units from days on, those that are zero left out; 0s for none.
func (d Duration) String() string {
	if d <= 0 {
		return strconv.FormatInt(int64(d), 10) + "s"
	}

	var b strings.Builder
	rest := int64(d)
	for _, u := range durationUnits[1:] {
		if n := rest / u.amount; n > 0 {
			b.WriteString(strconv.FormatInt(n, 10))
			b.WriteString(u.word)
		}
		rest %= u.amount
	}

	return b.String()
}

// MarshalText writes String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error { return unmarshal(d, text, ParseDuration) }

// unmarshal reads a text into v, which stays as it is on an error.
func unmarshal[T any](v *T, text []byte, parse func(string) (T, error)) error {
	got, err := parse(string(text))
	if err == nil {
		*v = got
	}
	return err
}

// ParseSize reads a whole number of bytes, or one of KiB, MiB, GiB or TiB.
func ParseSize(text string) (Size, error) {
	number, amount := text, int64(1)
	for _, u := range sizeUnits {
		if before, ok := strings.CutSuffix(text, u.word); ok {
			number, amount = before, u.amount
		}
	}

	// Compared by division: the product may be beyond 64 bits.
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil || int64(n) > math.MaxInt64/amount {
		return 0, wrong(fmt.Sprintf("%q is not a size", text), "such as 512MiB or 2GiB, a plain number is bytes")
	}
	return Size(int64(n) * amount), nil
}

// String writes the size in the largest unit of which it is a whole number; bytes have none.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s > 0 && int64(s)%u.amount == 0 {
			return strconv.FormatInt(int64(s)/u.amount, 10) + u.word
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalText writes String.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what ParseSize reads.
func (s *Size) UnmarshalText(text []byte) error { return unmarshal(s, text, ParseSize) }

// decimal is a number with at most two decimals, few enough digits that it fits whatever follows.
var decimal = regexp.MustCompile(`^(\d{1,9})(?:\.(\d{1,2}))?$`)

// ParsePercent reads a number of at most two decimals and a percent sign. The error takes a number without the sign for one
// of CPU, of which most are, and says how much of a core it would be.
func ParsePercent(text string) (Percent, error) {
	number, signed := strings.CutSuffix(text, "%")
	m := decimal.FindStringSubmatch(number)
	if m == nil {
		return 0, wrong(fmt.Sprintf("%q is not a percent", text), "such as 50%, with at most two decimals")
	}

	p := Percent(hundredths(m[1], m[2]))
	if !signed {
		return 0, withoutSign(text, p)
	}
	return p, nil
}

// withoutSign is the error for a number where a percent stands; up to 9 it is read as cores.
func withoutSign(text string, p Percent) error {
	if p < 10*percent {
		p *= 100
	}

	// What is no whole number stands within another text more often than alone.
	if strings.Contains(text, ".") {
		text = strconv.Quote(text)
	}

	cores := strings.TrimSuffix((p / 100).String(), "%")
	switch {
	case p == 50*percent:
		cores = "half a core"
	case p == 100*percent:
		cores = "one core"
	case p == 200*percent:
		cores = "two cores"
	case p < 100*percent:
		cores += " of a core"
	default:
		cores += " cores"
	}
	return wrong(text+" is not a percent", p.String()+" is "+cores)
}

// String writes as many decimals as there are, and the sign: 150%, 0.1%, 0.02%.
func (p Percent) String() string {
	number := fmt.Sprintf("%d.%02d", p/percent, p%percent)
	return strings.TrimSuffix(strings.TrimRight(number, "0"), ".") + "%"
}

// MarshalText writes String.
func (p Percent) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what ParsePercent reads.
func (p *Percent) UnmarshalText(text []byte) error { return unmarshal(p, text, ParsePercent) }
