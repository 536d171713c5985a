package policy2

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

// Label is one label that must be there: with any value, or with one that matches a glob.
type Label struct {
	Key string
	// Value is a glob; Any says that the value does not matter.
	Value string
	Any   bool
}
