// Command simulate prints the records of a simulated run as NDJSON, for browsers' tests, benchmarks and trying out the
// page without an engine:
//
//	simulate -length 1h | curl --data-binary @- -H 'Content-Type: application/x-ndjson' 127.0.0.1:8080/v1/records
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"gestor.local/logs/internal/chart/charttest"
)

func main() {
	var (
		length  = flag.Duration("length", 15*time.Minute, "length of the run")
		until   = flag.Duration("until", 0, "how long before now the run ends")
		seed    = flag.Uint64("seed", 1, "seed: the same one gives the same run")
		batch   = flag.Int("batch", 10, "containers a batch")
		every   = flag.Duration("every", 30*time.Second, "time between batches")
		tick    = flag.Duration("tick", 10*time.Second, "time between ticks")
		gap     = flag.Duration("gap", 0, "length of a stretch without a manager in the middle of the run")
		hostile = flag.Bool("hostile", false, "give the containers names that try to become markup, script or a format")
		follow  = flag.Bool("live", false, "go on for ever: print each record when its time has come")
	)
	flag.Parse()
	if err := run(*length, *until, *seed, *batch, *every, *tick, *gap, *hostile, *follow); err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		os.Exit(1)
	}
}

func run(length, until time.Duration, seed uint64, batch int, every, tick, gap time.Duration, hostile, follow bool) error {
	start := time.Now().Add(-length - until).Truncate(tick)
	r := charttest.Run{Start: start, Length: length, Seed: seed, Batch: batch, Every: every, Tick: tick}
	if gap > 0 {
		r.Away = []charttest.Span{{From: length/2 - gap/2, To: length/2 + gap/2}}
	}
	if hostile {
		names := charttest.Hostile()
		r.Name = func(n int) string { return names[n%len(names)] }
	}

	if follow {
		r.Length += 24 * time.Hour
	}

	out := bufio.NewWriterSize(os.Stdout, 1<<16)
	enc := json.NewEncoder(out)
	for _, rec := range r.Records() {
		if wait := time.Until(rec.Time); follow && wait > 0 {
			if err := out.Flush(); err != nil {
				return fmt.Errorf("write: %w", err)
			}
			time.Sleep(wait)
		}

		rec.Seq, rec.Received = 0, time.Time{}
		if err := enc.Encode(rec); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}

	if err := out.Flush(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
