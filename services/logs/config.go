package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"gestor.local/contract"
	"gestor.local/logs/internal/store"
	"gestor.local/program/settings"
)

// config is every setting of the log service.
type config struct {
	Data string `env:"DATA" envDefault:"data" help:"folder that holds everything the service keeps"`
	Addr string `env:"ADDR" envDefault:"127.0.0.1:8080" help:"address to listen on"`
	Host string `env:"HOST" help:"name of this machine in the service's own records (default: its host name)"`

	Fsync      string        `env:"FSYNC" envDefault:"always" help:"when records reach the disk: always (before the answer), interval or never"`
	FsyncEvery time.Duration `env:"FSYNC_INTERVAL" envDefault:"1s" help:"time between syncs with GESTOR_FSYNC=interval"`

	SegmentBytes contract.Size `env:"SEGMENT_BYTES" envDefault:"64MiB" help:"size at which a file of records is closed and compressed"`
	SegmentAge   time.Duration `env:"SEGMENT_AGE" envDefault:"1h" help:"age at which a file of observations is closed (events: 24 times this)"`

	ObservationsAge   time.Duration `env:"OBSERVATIONS_AGE" envDefault:"168h" help:"how long observations are kept, from their receipt on"`
	ObservationsBytes contract.Size `env:"OBSERVATIONS_BYTES" envDefault:"1GiB" help:"how much observations may take on disk, with their sums"`
	EventsAge         time.Duration `env:"EVENTS_AGE" envDefault:"8760h" help:"how long events are kept, from their receipt on"`
	EventsBytes       contract.Size `env:"EVENTS_BYTES" envDefault:"256MiB" help:"how much events may take on disk, with their sums"`
	MinFree           contract.Size `env:"MIN_FREE" envDefault:"64MiB" help:"space left free on the disk: below it observations are refused with 507, below a quarter of it everything"`

	WriteToken string `env:"WRITE_TOKEN_FILE" help:"file with the bearer token that storing asks for (empty: none)"`
	ReadToken  string `env:"READ_TOKEN_FILE" help:"file with the bearer token that reading asks for (empty: none)"`
	SuiteToken string `env:"SUITE_TOKEN_FILE" help:"file with the bearer token without which no record of the producers manager, generator and logs is taken (empty: none); it stores and reads too"`
	// Hosts keeps a site from giving its own name this service's address.
	Hosts    contract.HostNames `env:"HOSTS" help:"further names that the service is asked under, with commas; addresses, localhost and single words need none, * is any; of no effect with a read token"`
	LogLevel string             `env:"LOG_LEVEL" envDefault:"info" help:"debug, info, warn or error"`
}

const envPrefix = "GESTOR_"

// loadConfig reads the environment and reports every problem at once.
func loadConfig(environ map[string]string) (config, error) {
	c, wrong := settings.Read[config](envPrefix, environ)
	var problems []error
	for _, w := range wrong {
		problems = append(problems, w)
	}

	switch store.Fsync(c.Fsync) {
	case store.FsyncAlways, store.FsyncInterval, store.FsyncNever:
	default:
		problems = append(problems, fmt.Errorf("GESTOR_FSYNC is %q: want always, interval or never", c.Fsync))
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel) {
		problems = append(problems, fmt.Errorf("GESTOR_LOG_LEVEL is %q: want debug, info, warn or error", c.LogLevel))
	}

	for name, ok := range map[string]bool{
		"GESTOR_FSYNC_INTERVAL": c.FsyncEvery > 0, "GESTOR_SEGMENT_BYTES": c.SegmentBytes > 0,
		"GESTOR_SEGMENT_AGE": c.SegmentAge > 0, "GESTOR_OBSERVATIONS_AGE": c.ObservationsAge > 0,
		"GESTOR_OBSERVATIONS_BYTES": c.ObservationsBytes > 0, "GESTOR_EVENTS_AGE": c.EventsAge > 0,
		"GESTOR_EVENTS_BYTES": c.EventsBytes > 0,
	} {
		if len(wrong) == 0 && !ok { // what could not be read is 0 too
			problems = append(problems, fmt.Errorf("%s must be more than 0", name))
		}
	}

	if c.Host == "" {
		c.Host, _ = os.Hostname() // the store has a name for the nameless
	}

	return c, errors.Join(problems...)
}

// environment is what the process was started with.
func environment() map[string]string { return settings.Environment() }

// writeSettings lists every setting with its default.
func writeSettings(w io.Writer) error { return settings.WriteTable[config](w, envPrefix) }

// readToken is the token that reading asks for, "" when none is set.
func (c config) readToken() (string, error) {
	return settings.Token("GESTOR_READ_TOKEN_FILE", c.ReadToken)
}

// baseURL is where this machine reaches the running service.
func (c config) baseURL() (string, error) {
	url, err := settings.LocalURL(c.Addr)
	if err != nil {
		return "", fmt.Errorf("GESTOR_ADDR: %w", err)
	}
	return url, nil
}

// store is the part of the settings that the store takes.
func (c config) store() store.Config {
	return store.Config{
		Dir: c.Data, Host: c.Host, Fsync: store.Fsync(c.Fsync), FsyncEvery: c.FsyncEvery,
		SegmentBytes: int64(c.SegmentBytes), SegmentAge: c.SegmentAge, MinFree: uint64(max(c.MinFree, 1)),
		Keep: store.Keep{
			store.Observations: {Age: c.ObservationsAge, Bytes: int64(c.ObservationsBytes)},
			store.Events:       {Age: c.EventsAge, Bytes: int64(c.EventsBytes)},
		},
	}
}
