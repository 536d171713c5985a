// Package report compares what was planned with what happened: counts, lateness, lifetimes and causes of exits.
package report

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"gestor.local/generator/internal/plan"
)

// Report is the state of a run at one moment, or at its end.
type Report struct {
	Run     string    `json:"run"`
	Seed    uint64    `json:"seed,string"`
	Profile string    `json:"profile"`
	Began   time.Time `json:"began"`
	Until   time.Time `json:"until"`
	// Ended is why the run is over, "" while it goes on.
	Ended string `json:"ended,omitempty"`
	// Planned starts whose time has come: started, failed and dropped ones and those under way.
	Planned  uint64            `json:"planned"`
	Started  uint64            `json:"started"`
	Failed   map[string]uint64 `json:"failed"`  // by cause
	Dropped  map[string]uint64 `json:"dropped"` // by reason
	UnderWay uint64            `json:"under_way"`
	Images   map[string]Image  `json:"images"`
	// Fingerprint stands for every position, its image and its outcome: two runs with the same one made the same
	// choices with the same results.
	Fingerprint string `json:"fingerprint"`
	// Lateness is the beginning of a start against the plan, Took its length, Life that of a container that ended.
	Lateness Times             `json:"lateness"`
	Took     Times             `json:"took"`
	Life     Times             `json:"life"`
	Deaths   map[string]uint64 `json:"deaths"` // by cause
	Alive    int               `json:"alive"`
	// Gate is why starts are held back, "" while they are not.
	Gate string `json:"gate,omitempty"`
}

// Image counts the starts of one image.
type Image struct {
	Planned uint64 `json:"planned"`
	Started uint64 `json:"started"`
}

// Times sums up durations, in microseconds. The quantiles are of the last 10,000.
type Times struct {
	Count  uint64 `json:"count"`
	P50US  int64  `json:"p50_us"`
	P95US  int64  `json:"p95_us"`
	MaxUS  int64  `json:"max_us"`
	MeanUS int64  `json:"mean_us"`
}

// Counter counts while a run goes on. It may be used from any goroutine. Make one with NewCounter.
type Counter struct {
	mu                   sync.Mutex // guards all following fields
	r                    Report
	fingerprint          uint64
	lateness, took, life samples
}

// NewCounter begins a report.
func NewCounter(run string, seed uint64, profile string, began time.Time) *Counter {
	return &Counter{r: Report{
		Run: run, Seed: seed, Profile: profile, Began: began.UTC(),
		Failed: map[string]uint64{}, Dropped: map[string]uint64{}, Deaths: map[string]uint64{}, Images: map[string]Image{},
	}}
}

// Due counts a start whose time has come.
func (c *Counter) Due(s plan.Start) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.r.Planned++
	c.r.UnderWay++
	image := c.r.Images[s.Image]
	image.Planned++
	c.r.Images[s.Image] = image
}

// Started counts a start that succeeded.
func (c *Counter) Started(s plan.Start, late, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()

	c.r.Started++
	image := c.r.Images[s.Image]
	image.Started++
	c.r.Images[s.Image] = image

	c.lateness.add(late)
	c.took.add(took)
	c.finish(s, "started")
}

// Failed counts a start that was tried.
func (c *Counter) Failed(s plan.Start, cause string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.r.Failed[cause]++
	c.finish(s, "failed")
}

// Dropped counts a start that was not tried.
func (c *Counter) Dropped(s plan.Start, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.r.Dropped[reason]++
	c.finish(s, "dropped")
}

// finish adds a start to the fingerprint: a sum, so that the order in which starts end does not matter.
func (c *Counter) finish(s plan.Start, outcome string) {
	c.r.UnderWay--
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %s", s.Position, s.Image, outcome))
	c.fingerprint += binary.BigEndian.Uint64(sum[:8])
}

// Exited counts a container's end; the lifetime is 0 when its beginning is not known.
func (c *Counter) Exited(cause string, lifetime time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.r.Deaths[cause]++
	if lifetime > 0 {
		c.life.add(lifetime)
	}
}

// SetGate sets why starts are held back, "" when they are not.
func (c *Counter) SetGate(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.r.Gate = reason
}

// SetEnd sets why the run is over.
func (c *Counter) SetEnd(why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.r.Ended = why
}

// Report returns the state as of now with the given number of live containers.
func (c *Counter) Report(alive int) Report {
	c.mu.Lock()
	defer c.mu.Unlock()

	r := c.r
	r.Failed, r.Dropped, r.Deaths, r.Images = maps.Clone(r.Failed), maps.Clone(r.Dropped), maps.Clone(r.Deaths), maps.Clone(r.Images)
	r.Until, r.Alive = time.Now().UTC(), alive
	r.Fingerprint = fmt.Sprintf("%016x", c.fingerprint)
	r.Lateness, r.Took, r.Life = c.lateness.times(), c.took.times(), c.life.times()
	return r
}

// samples holds the last durations, and the sum and the largest of all.
type samples struct {
	count uint64
	sum   time.Duration
	max   time.Duration
	last  []time.Duration
}

const samplesKept = 10_000

func (s *samples) add(d time.Duration) {
	if len(s.last) < samplesKept {
		s.last = append(s.last, d)
	} else {
		s.last[s.count%samplesKept] = d
	}
	s.count++
	s.sum += d
	s.max = max(s.max, d)
}

func (s *samples) times() Times {
	if s.count == 0 {
		return Times{}
	}

	sorted := slices.Sorted(slices.Values(s.last))
	at := func(permille int) int64 { return sorted[(len(sorted)-1)*permille/1000].Microseconds() }
	return Times{
		Count: s.count, P50US: at(500), P95US: at(950), MaxUS: s.max.Microseconds(),
		MeanUS: (s.sum / time.Duration(s.count)).Microseconds(),
	}
}
