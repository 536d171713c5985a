package main

import "errors"

// Exit codes by cause: what a script or a supervisor can tell apart.
const (
	exitDone    = 0
	exitConfig  = 2 // a setting or the policy is wrong
	exitEyes    = 3 // no source can be read
	exitEngine  = 4 // the container engine cannot be reached, or no longer
	exitStorage = 5 // journal or spool cannot be used
)

// exitError carries the code of a failed start or run.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }

func (e *exitError) Unwrap() error { return e.err }

func because(code int, err error) error {
	if err == nil {
		return nil
	}
	return &exitError{code, err}
}

// codeOf is the exit code of an error, 1 for one without a known cause.
func codeOf(err error) int {
	var e *exitError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &e):
		return e.code
	default:
		return 1
	}
}
