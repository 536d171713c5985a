// Package script runs Gestor's bash scripts, each in a process group of its own.
package script

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// ErrTimeout is the cause of a Failure when a script did not end in time.
var ErrTimeout = errors.New("no answer in time")

// Failure is a script that did not do its work.
type Failure struct {
	Script string
	// Code is the exit code, -1 when the script could not be run or did not end by itself.
	Code int
	// Stderr is the last line that it wrote to its standard error.
	Stderr string
	// Cause is ErrTimeout, the cause of the context's end, or what prevented the script from running; nil with an exit code.
	Cause error
}

func (f *Failure) Error() string {
	if f.Cause != nil {
		return fmt.Sprintf("run %s: %v", f.Script, f.Cause)
	}
	return fmt.Sprintf("run %s: exit code %d: %s", f.Script, f.Code, f.Stderr)
}

func (f *Failure) Unwrap() error { return f.Cause }

// Run returns what a script printed. When ctx or the time-out ends, the script and everything that it started are
// killed: neither Ctrl-C nor a time-out leaves a docker command behind. Every error is a *Failure.
func Run(ctx context.Context, timeout time.Duration, path string, arguments ...string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, ErrTimeout)
	defer cancel()

	cmd, stderr := command(ctx, path, arguments)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		return "", failure(ctx, path, err, stderr.String())
	}
	return out.String(), nil
}

// Lines calls each for every line that a script prints, until it ends; like Run otherwise.
func Lines(ctx context.Context, each func(line string), path string, arguments ...string) error {
	cmd, stderr := command(ctx, path, arguments)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return failure(ctx, path, err, "")
	}

	lines := bufio.NewScanner(out)
	for lines.Scan() {
		each(lines.Text())
	}
	_, _ = io.Copy(io.Discard, out) // a line too long ends the scanning, not the script

	if err := errors.Join(cmd.Wait(), lines.Err()); err != nil {
		return failure(ctx, path, err, stderr.String())
	}
	return nil
}

func command(ctx context.Context, path string, arguments []string) (*exec.Cmd, *tail) {
	cmd := exec.CommandContext(ctx, path, arguments...)
	stderr := &tail{}
	cmd.Stderr = stderr

	// A group of its own, so that what the script started is killed with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	return cmd, stderr
}

func failure(ctx context.Context, path string, err error, stderr string) *Failure {
	f := &Failure{Script: filepath.Base(path), Code: -1, Stderr: lastLine(stderr, filepath.Base(path)), Cause: context.Cause(ctx)}
	var exit *exec.ExitError
	switch {
	case f.Cause != nil:
	case errors.As(err, &exit) && exit.Exited():
		f.Code = exit.ExitCode()
	default:
		f.Cause = err
	}
	return f
}

// lastLine is the last line that the script wrote, without its own name, bounded.
func lastLine(stderr, name string) string {
	stderr = strings.TrimSpace(stderr)
	stderr = stderr[strings.LastIndexByte(stderr, '\n')+1:]
	stderr = strings.TrimPrefix(stderr, name+": ")
	return strings.ToValidUTF8(stderr[:min(len(stderr), 300)], "?")
}

// tail holds the end of what is written to it.
type tail struct{ text []byte }

const tailBytes = 4096

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	t.text = t.text[max(len(t.text)-tailBytes, 0):]
	return len(p), nil
}

func (t *tail) String() string { return string(t.text) }
