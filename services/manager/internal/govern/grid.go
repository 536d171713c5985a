package govern

import "time"

// grid is the fixed sequence of times at which ticks are due: start + n × step on the monotonic clock.
type grid struct {
	start time.Time // carries a monotonic reading
	step  time.Duration
	n     int64 // the point that is due next
}

func newGrid(start time.Time, step time.Duration) *grid { return &grid{start: start, step: step} }

// due is the time of the next point.
func (g *grid) due() time.Time { return g.start.Add(time.Duration(g.n) * g.step) }

// arrive is called when a tick begins: it takes the last point that has come, drops the ones before it and says how late
// the tick is.
func (g *grid) arrive(now time.Time) (late time.Duration, skipped uint64) {
	skipped = g.moveTo(int64(now.Sub(g.start) / g.step))
	return max(now.Sub(g.due()), 0), skipped
}

// advance is called when a tick is over: the next one is the first point still to come. Points that passed during the
// tick are skipped, never made up for.
func (g *grid) advance(now time.Time) (skipped uint64) {
	g.n++
	return g.moveTo(int64((now.Sub(g.start) + g.step - 1) / g.step))
}

func (g *grid) moveTo(n int64) (skipped uint64) {
	if n <= g.n {
		return 0
	}
	skipped = uint64(n - g.n) //nolint:gosec // n > g.n
	g.n = n
	return skipped
}
