package ship

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"gestor.local/contract"
	"gestor.local/wal/disk"
)

// Defaults and limits.
const (
	// DefaultMaxBytes holds about 200,000 records: a day of a busy host without its log service.
	DefaultMaxBytes = 64 << 20
	// MinMaxBytes keeps room for the reserve and a few records of the largest size.
	MinMaxBytes = 256 << 10
	// batchRecords and batchBytes bound one request: far below contract.MaxBodyBytes, large enough that the round trip
	// and the log service's sync are shared by many records.
	batchRecords = 1000
	batchBytes   = 1 << 20
	// requestTimeout is of one request, with the log service's own sync in it.
	requestTimeout = 15 * time.Second
	// idleTimeout is longer than the time between two requests of a producer that has something to send at every tick.
	idleTimeout = 90 * time.Second
	// Waits after an error: doubled from first to longest, with jitter. retryAfterMax bounds what a server may ask for.
	backoffFirst   = 500 * time.Millisecond
	backoffLongest = 30 * time.Second
	retryAfterMax  = 5 * time.Minute
	// keepArrived is how long files stay whose records have arrived: longer than it takes to copy a data folder.
	keepArrived = 15 * time.Minute
)

// Config says where the spool lies and where its records go.
type Config struct {
	// Dir is the spool's folder; it is made when missing. It belongs to one producer.
	Dir string
	// URL is the base of the log service ("http://logs:8080").
	URL string
	// Producer, Host and Boot are the identity of every record (see the package comment for boot).
	Producer, Host, Boot string
	// MaxBytes bounds the record files together; 0 is DefaultMaxBytes. The index in memory takes about a tenth of it.
	MaxBytes int64
	// Token is asked before each request for the bearer token, so that a new one needs no restart; nil and "" send none.
	Token func() (string, error)
	// Client is used for the requests; nil is NewClient with a time-out of 15 s.
	Client *http.Client
	// FS is the disk that the spool lies on; nil is the operating system's.
	FS disk.FS
	// Log gets what an operator should know, at most once a change of state; nil is silence.
	Log func(message string, err error)
}

func (c Config) withDefaults() Config {
	if c.MaxBytes == 0 {
		c.MaxBytes = DefaultMaxBytes
	}

	// Programs of the suite ask each other without a proxy.
	if c.Client == nil {
		c.Client = NewClient(requestTimeout)
	}
	if c.Token == nil {
		c.Token = func() (string, error) { return "", nil }
	}
	if c.FS == nil {
		c.FS = disk.OS{Files: 0o640, Dirs: 0o750}
	}
	if c.Log == nil {
		c.Log = func(string, error) {}
	}
	return c
}

func (c Config) validate() error {
	var problems []error
	for _, f := range []struct{ name, value string }{
		{"Dir", c.Dir}, {"Producer", c.Producer}, {"Host", c.Host}, {"Boot", c.Boot},
	} {
		if f.value == "" {
			problems = append(problems, fmt.Errorf("%s is empty", f.name))
		}
	}

	if !contract.WebAddress(c.URL) {
		problems = append(problems, fmt.Errorf("URL %q is not an http address", c.URL))
	}
	if c.MaxBytes < MinMaxBytes {
		problems = append(problems, fmt.Errorf("MaxBytes %d is under %d", c.MaxBytes, MinMaxBytes))
	}
	return errors.Join(problems...)
}

// segmentBytes is the size after which a stream begins a new file. Space comes back a file at a time, so that a file
// is a small part of the whole; and a record of the largest size must fit.
func (c Config) segmentBytes() int64 {
	return min(max(c.MaxBytes/32, contract.MaxRecordBytes), 4<<20)
}

// arrivedBytes bounds the files whose records have arrived.
func (c Config) arrivedBytes() int64 { return c.MaxBytes / 4 }

// reserve is kept free for the spool's own reports, so that "the spool is full" can always be written down.
func (c Config) reserve() int64 { return max(c.MaxBytes/64, 8<<10) }
