package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tester runs checks and writes a line for each: "ok NAME", "FAIL NAME: WHY" or "skip NAME: WHY".
type tester struct {
	out     io.Writer
	only    string
	options map[string]string
	host    *machine
	failed  int
}

// skipped is returned by a check that this kernel or layout has nothing for.
type skipped string

func (s skipped) Error() string { return string(s) }

// openReport opens the port and stops the terminal layer from changing what goes through.
func openReport(path string) (io.Writer, error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("open report: %w", err)
	}
	if t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil {
		t.Oflag &^= unix.OPOST
		if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, t); err != nil {
			return nil, fmt.Errorf("open report: %w", err)
		}
	}
	return f, nil
}

// check runs one check between a loaded and an unloaded module.
func (t *tester) check(name string, f func(*machine) error) {
	if t.only != "" && !strings.Contains(name, t.only) {
		return
	}

	began := time.Now()
	err := f(t.host)
	if cleanErr := t.host.cleanup(); err == nil && cleanErr != nil {
		err = fmt.Errorf("clean up: %w", cleanErr)
	}
	t.result(name, err)
	fmt.Printf("guest: %s took %v\n", name, time.Since(began).Round(time.Millisecond))
}

func (t *tester) result(name string, err error) {
	switch e := err.(type) {
	case nil:
		fmt.Fprintf(t.out, "ok %s\n", name)
	case skipped:
		fmt.Fprintf(t.out, "skip %s: %s\n", name, string(e))
	default:
		t.failed++
		fmt.Fprintf(t.out, "FAIL %s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", " | "))
	}
}

// value reports a measured number: "value NAME NUMBER".
func (t *tester) value(name string, number any) { fmt.Fprintf(t.out, "value %s %v\n", name, number) }

// document hands a captured document to the host, framed by its length.
func (t *tester) document(name string, text []byte) {
	fmt.Fprintf(t.out, "document %s %d\n", name, len(text))
	_, _ = t.out.Write(text)
	fmt.Fprintln(t.out)
}

// finish writes the line without which the host counts the boot as failed.
func (t *tester) finish() {
	fmt.Fprintf(t.out, "done %d failed\n", t.failed)
	time.Sleep(200 * time.Millisecond)
}
