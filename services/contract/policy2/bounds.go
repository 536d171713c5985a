package policy2

import "fmt"

// Counts of a document. They refuse what can only be a slip of the hand, not what is merely unusual.
const (
	maxSelectors = 200
	maxRules     = 100
	maxName      = 48
	minLabels    = 2
	maxLabels    = 16
	maxSteps     = 4
	maxRates     = 8

	minThrottleMillicores = 10 // the kernel's smallest CPU quota is 1 ms a period of 100 ms
)

// Waits of a ladder that depend on the step before.
const (
	minNotice       = Minute // below it nobody has read the notice
	maxThrottleWait = LongestThrottle
)

// bounds are the least and the greatest value of a key, both allowed; greatest 0 is none.
type bounds[T ~int | ~int64] struct{ least, greatest T }

func (b bounds[T]) hold(v T) bool { return v >= b.least && (b.greatest == 0 || v <= b.greatest) }

func (b bounds[T]) String() string {
	if b.greatest == 0 {
		return fmt.Sprintf("%v or more", b.least)
	}
	return fmt.Sprintf("from %v to %v", b.least, b.greatest)
}

// durationBounds are those of the key that takes a duration.
func durationBounds(key string) bounds[Duration] {
	switch key {
	case "tick":
		return bounds[Duration]{Second, Hour}
	case "age", "ended":
		return bounds[Duration]{Minute, 3650 * Day}
	case "idle":
		return bounds[Duration]{Minute, 90 * Day}
	case "for":
		return bounds[Duration]{10 * Second, 7 * Day}
	case "calm", "span":
		return bounds[Duration]{Minute, 7 * Day}
	case "after":
		return bounds[Duration]{10 * Second, 365 * Day}
	case "within":
		return bounds[Duration]{Minute, Day}
	case "settle":
		return bounds[Duration]{0, Hour}
	case "grace":
		return bounds[Duration]{0, 30 * Second}
	default: // act.deadline
		return bounds[Duration]{Second, 10 * Minute}
	}
}

// percentBounds are those of the key that takes a percent, "idle.cpu" apart from "cpu".
func percentBounds(key string) bounds[Percent] {
	switch key {
	case "idle.cpu":
		return bounds[Percent]{0, 100 * percent}
	case "throttle":
		return bounds[Percent]{percent, 10_000 * percent}
	case "ram":
		return bounds[Percent]{1, 100 * percent}
	default: // cpu
		return bounds[Percent]{percent, 0}
	}
}

// countBounds are those of the key that takes a whole number.
func countBounds(key string) bounds[int] {
	switch key {
	case "places", "rate":
		return bounds[int]{1, 10_000}
	case "processes":
		return bounds[int]{1, 1_000_000}
	case "restarts", "surprise":
		return bounds[int]{1, 100}
	case "warmup":
		return bounds[int]{0, 1_000}
	case "parallel":
		return bounds[int]{1, 64}
	case "min_interval_percent":
		return bounds[int]{1, 100}
	case "max_interval_percent":
		return bounds[int]{100, 10_000}
	default: // max_bad_rows_percent
		return bounds[int]{0, 100}
	}
}

// Bounds says in words which values a key takes that a document may leave out, such as "from 1m to 3650d" of age. It is for
// readers of a document: what is left out is zero in a Policy, and so Validate cannot see a zero that was written.
func Bounds(key string) string {
	switch key {
	case "cpu":
		return percentBounds(key).String()
	case "ram":
		return ramBounds
	case "processes":
		return countBounds(key).String()
	case "restarts":
		return restartsBounds()
	default:
		return durationBounds(key).String()
	}
}

const ramBounds = "whole KiB, or a percent up to 100%"

func restartsBounds() string {
	n, d := countBounds("restarts"), durationBounds("within")
	return fmt.Sprintf("%d in %v to %d in %v", n.least, d.least, n.greatest, d.greatest)
}
