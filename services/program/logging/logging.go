// Package logging makes the logger of a program: lines for people on a terminal, JSON lines elsewhere.
package logging

import (
	"io"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"
)

// New makes the logger of a service. The level was checked with the settings; one that is none counts as info. forPeople
// asks for plain lines instead of JSON, in colour where w is a terminal.
func New(w io.Writer, service, level string, forPeople bool) zerolog.Logger {
	parsed, err := zerolog.ParseLevel(level)
	if err != nil {
		parsed = zerolog.InfoLevel
	}
	if forPeople {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: !IsTerminal(w)}
	}
	return zerolog.New(w).Level(parsed).With().Timestamp().Str("service", service).Logger()
}

// IsTerminal reports whether w is a terminal, so that people may be reading.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
