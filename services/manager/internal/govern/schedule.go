package govern

import "time"

// schedule is the fixed sequence of times at which ticks are due: start + n × step on the monotonic clock.
type schedule struct {
	start time.Time // carries a monotonic reading
	step  time.Duration
	n     int64 // the point that is due next
}

func newSchedule(start time.Time, step time.Duration) *schedule {
	return &schedule{start: start, step: step}
}

// due is the time of the next point.
func (s *schedule) due() time.Time { return s.start.Add(time.Duration(s.n) * s.step) }

// begin is called when a tick begins: it takes the last point that has come, drops the ones before it and says how late
// the tick is.
func (s *schedule) begin(now time.Time) (late time.Duration, skipped uint64) {
	skipped = s.moveTo(int64(now.Sub(s.start) / s.step))
	return max(now.Sub(s.due()), 0), skipped
}

// advance is called when a tick is over: the next one is the first point still to come. Points that passed during the
// tick are skipped, never made up for.
func (s *schedule) advance(now time.Time) (skipped uint64) {
	s.n++
	return s.moveTo(int64((now.Sub(s.start) + s.step - 1) / s.step))
}

func (s *schedule) moveTo(n int64) (skipped uint64) {
	if n <= s.n {
		return 0
	}
	skipped = uint64(n - s.n) //nolint:gosec // n > s.n
	s.n = n
	return skipped
}
