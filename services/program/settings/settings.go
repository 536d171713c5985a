// Package settings reads a program's settings, which come from the environment, and lists them. The struct of the settings
// declares them: the tag env names the variable, envDefault its default, help what it does.
package settings

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/caarlos0/env/v11"
)

// Wrong is a variable whose value cannot be read.
type Wrong struct {
	Variable string // with its prefix
	Err      error  // what is wrong with the value, and what is wanted instead
}

func (w Wrong) Error() string { return w.Variable + ": " + w.Err.Error() }

func (w Wrong) Unwrap() error { return w.Err }

// Read reads the settings T from the variables; prefix comes before each name in the tags. All that cannot be read are
// returned, and the rest of T is filled all the same, so that every problem can be reported at once.
func Read[T any](prefix string, variables map[string]string) (T, []Wrong) {
	read, err := env.ParseAsWithOptions[T](env.Options{Prefix: prefix, Environment: variables})
	if err == nil {
		return read, nil
	}

	var all env.AggregateError
	if !errors.As(err, &all) {
		all.Errors = []error{err}
	}

	wrong := make([]Wrong, len(all.Errors))
	for i, one := range all.Errors {
		wrong[i] = wrongOf[T](prefix, one)
	}
	return read, wrong
}

// wrongOf names the variable that an error of env is about, which names the field of the struct.
func wrongOf[T any](prefix string, err error) Wrong {
	var parse env.ParseError
	if errors.As(err, &parse) {
		if field, ok := reflect.TypeFor[T]().FieldByName(parse.Name); ok {
			return Wrong{prefix + field.Tag.Get("env"), withWanted(field.Type, parse.Err)}
		}
	}
	return Wrong{"environment", err}
}

// withWanted adds to a parser's error what is wanted instead. The errors of types that parse themselves have it already.
func withWanted(setting reflect.Type, err error) error {
	var wanted string
	switch setting {
	case reflect.TypeFor[time.Duration]():
		wanted = "a time with its unit, as in 90s, 5m or 12h (a week is 168h)"
	case reflect.TypeFor[bool]():
		wanted = "true or false"
	case reflect.TypeFor[int](), reflect.TypeFor[uint64]():
		wanted = "a whole number"
	default:
		return err
	}

	return fmt.Errorf("%w: want %s", err, wanted)
}

// Environment is the variables of this process.
func Environment() map[string]string { return env.ToMap(os.Environ()) }

// WriteTable writes the settings T, one a line: its variable, what it does, and its default in parentheses.
func WriteTable[T any](w io.Writer, prefix string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for field := range reflect.TypeFor[T]().Fields() {
		value := field.Tag.Get("envDefault")
		if value != "" {
			value = " (" + value + ")"
		}

		fmt.Fprintf(t, "  %s%s\t%s%s\n", prefix, field.Tag.Get("env"), field.Tag.Get("help"), value)
	}

	return t.Flush()
}

// Token reads the token in the file that a variable names; "" when it names none. It is read anew for each request, so
// that a new token needs no restart.
func Token(variable, path string) (string, error) {
	if path == "" {
		return "", nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", variable, err)
	}
	return strings.TrimSpace(string(text)), nil
}

// LocalURL is the address under which a server that listens on addr is reached from the same machine: one that listens
// everywhere is asked on the loopback address.
func LocalURL(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}

	switch {
	case host == "", host == "0.0.0.0", net.ParseIP(host).IsUnspecified(): // ::, ::0 and ::ffff:0.0.0.0 are spellings of it too
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port), nil
}
