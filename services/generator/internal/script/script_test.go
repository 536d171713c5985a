package script

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "it.sh")
	if err := os.WriteFile(path, []byte("#!/bin/bash\n"+body), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestArgumentsArriveAsTheyAre(t *testing.T) {
	hostile := []string{"", " ", "a b", "$(id)", "'", "\"", "*", "a\nb", "-x", "\xff"}
	out, err := Run(t.Context(), time.Minute, write(t, `printf '%s\0' "$@"`), hostile...)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(hostile, strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
}

func TestFailureKeepsCodeAndLastWords(t *testing.T) {
	_, err := Run(t.Context(), time.Minute, write(t, "echo first >&2; echo 'it.sh: last' >&2; exit 9"))
	var f *Failure
	if !errors.As(err, &f) || f.Code != 9 || f.Stderr != "last" || f.Cause != nil {
		t.Errorf("%+v", f)
	}
	long := "head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1"
	if _, err := Run(t.Context(), time.Minute, write(t, long)); !errors.As(err, &f) || len(f.Stderr) > 300 {
		t.Errorf("%d bytes of stderr", len(f.Stderr))
	}
	if _, err := Run(t.Context(), time.Minute, "/nosuch"); !errors.As(err, &f) || f.Code != -1 || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a script: %v", err)
	}
}

func TestLinesEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var got []string
	err := Lines(ctx, func(line string) {
		if got = append(got, line); len(got) == 2 {
			cancel()
		}
	}, write(t, "echo a; echo b; sleep 300; echo c"))
	if !errors.Is(err, context.Canceled) || len(got) != 2 {
		t.Errorf("%v after %q", err, got)
	}
	if err := Lines(t.Context(), func(string) {}, write(t, "exit 4")); err == nil {
		t.Error("a failure was not told")
	}
}
