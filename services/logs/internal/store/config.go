package store

import (
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/rollup"
	"gestor.local/wal/disk"
)

// Stream is one of the two series of files, told apart by the value of what they hold.
type Stream int

// Streams. Observations are written before Events in every commit.
const (
	Observations Stream = iota
	Events
	streamCount
)

// Streams lists both.
func Streams() []Stream { return []Stream{Observations, Events} }

func (s Stream) String() string { return [...]string{"observations", "events"}[s] }

// StreamOf says where records of a kind are kept.
func StreamOf(k contract.Kind) Stream {
	if k.Observation() {
		return Observations
	}
	return Events
}

// Fsync says when records reach stable storage.
type Fsync string

// Fsync modes.
const (
	FsyncAlways   Fsync = "always"   // before the answer
	FsyncInterval Fsync = "interval" // once every Config.FsyncEvery
	FsyncNever    Fsync = "never"    // when the kernel likes, and when a file is sealed
)

// Config of a store. Zero fields take the defaults in brackets.
type Config struct {
	Dir  string
	Host string // in the service's own records ["unknown"]

	Fsync      Fsync         // [always]
	FsyncEvery time.Duration // [1s]

	SegmentBytes int64                            // a file is sealed at this size [64 MiB]
	SegmentAge   time.Duration                    // and at this age [1h; events 24h]
	Keep         [streamCount]Retention           // [7 days or 1 GiB; 365 days or 256 MiB]
	KeepRollups  [len(rollup.Steps)]time.Duration // of 1 min, 10 min, 1 h [30 days, 180 days, 3 years]
	MinFree      uint64                           // below this observations are refused, below a quarter events too [64 MiB; 1 = none]

	FS  disk.FS          // [the operating system's]
	Now func() time.Time // [time.Now]

	// OnPanic is told what panicked, with which value and stack [nobody].
	OnPanic func(what string, value any, stack []byte)
}

// Retention bounds a stream. The first bound that is passed deletes the oldest sealed segment.
type Retention struct {
	Age   time.Duration
	Bytes int64
}

const day = 24 * time.Hour

func (c *Config) setDefaults() {
	or(&c.Host, "unknown")
	or(&c.Fsync, FsyncAlways)
	or(&c.FsyncEvery, time.Second)

	or(&c.SegmentBytes, 64<<20)
	or(&c.SegmentAge, time.Hour)

	or(&c.Keep[Observations].Age, 7*day)
	or(&c.Keep[Observations].Bytes, 1<<30)
	or(&c.Keep[Events].Age, 365*day)
	or(&c.Keep[Events].Bytes, 256<<20)
	or(&c.KeepRollups, [len(rollup.Steps)]time.Duration{30 * day, 180 * day, 3 * 365 * day})
	or(&c.MinFree, 64<<20)

	if c.FS == nil {
		c.FS = disk.OS{}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

func or[T comparable](v *T, fallback T) {
	var zero T
	if *v == zero {
		*v = fallback
	}
}

// maxAge is the age at which a stream's active segment is sealed. Events are few: hourly files would be tiny.
func (c *Config) maxAge(stream Stream) time.Duration {
	if stream == Events {
		return 24 * c.SegmentAge
	}
	return c.SegmentAge
}

// Keep is the retention of each stream.
type Keep [streamCount]Retention
