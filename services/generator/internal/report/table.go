package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"
)

// WriteTable writes the report for people to read.
func (r Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name string, value any) { fmt.Fprintf(t, "%s\t%v\n", name, value) }

	row("run", r.Run)
	row("profile, seed", fmt.Sprintf("%s, %d", r.Profile, r.Seed))
	row("time", fmt.Sprintf("%s from %s", r.Until.Sub(r.Began).Round(time.Second), r.Began.Format(time.RFC3339)))

	if r.Ended != "" {
		row("ended", r.Ended)
	}
	if r.Gate != "" {
		row("held back", r.Gate)
	}

	row("planned", r.Planned)
	row("started", r.Started)
	counts(row, "failed", r.Failed)
	counts(row, "dropped", r.Dropped)
	if r.UnderWay > 0 {
		row("under way", r.UnderWay)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Images)) {
		row("  "+name, fmt.Sprintf("%d of %d", r.Images[name].Started, r.Images[name].Planned))
	}

	row("late", r.Lateness)
	row("start took", r.Took)
	row("life", r.Life)
	counts(row, "died", r.Deaths)
	row("alive", r.Alive)
	row("fingerprint", r.Fingerprint)

	if err := t.Flush(); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// counts writes a row with the sum and one for each part.
func counts(row func(string, any), name string, parts map[string]uint64) {
	sum := uint64(0)
	for _, n := range parts {
		sum += n
	}

	row(name, sum)
	for _, part := range slices.Sorted(maps.Keys(parts)) {
		row("  "+part, parts[part])
	}
}

// String writes the durations rounded for reading.
func (t Times) String() string {
	if t.Count == 0 {
		return "-"
	}
	d := func(us int64) time.Duration { return (time.Duration(us) * time.Microsecond).Round(time.Millisecond) }
	return fmt.Sprintf("p50 %s, p95 %s, max %s (%d)", d(t.P50US), d(t.P95US), d(t.MaxUS), t.Count)
}
