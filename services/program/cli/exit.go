package cli

import (
	"errors"
	"fmt"
)

// exitError is an error with the exit code that it leads to.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }

func (e *exitError) Unwrap() error { return e.err }

// WithExitCode gives an error the exit code by which a script or a supervisor distinguishes its cause; nil stays nil.
func WithExitCode(code int, err error) error {
	if err == nil {
		return nil
	}
	return &exitError{code, err}
}

// reported is an error that was written already.
type reported struct{ code int }

func (e reported) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// Reported ends a command with an exit code whose cause stands in its output or its log: nothing more is written.
func Reported(code int) error { return reported{code} }

// ExitCode is the code that the error was given, the outermost of several: 0 for nil, 2 for a wrong command line, else 1.
func ExitCode(err error) int {
	var coded *exitError
	var usage *UsageError
	switch {
	case err == nil:
		return codeDone
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &usage):
		return codeUsage
	default:
		return codeOther
	}
}
