package pseudofile_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"gestor.local/manager/internal/source/pseudofile"
)

// file makes a file of n bytes.
func file(t *testing.T, n int) (string, []byte) {
	t.Helper()
	path, content := filepath.Join(t.TempDir(), "file"), bytes.Repeat([]byte("x"), n)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, content
}

func TestRead(t *testing.T) {
	for name, test := range map[string]struct {
		size, start, limit int
		want               error
		calls              int // 0 = not checked
	}{
		"empty":                   {0, 10, 100, nil, 3},
		"smaller than the buffer": {5, 10, 100, nil, 4},
		"exactly the buffer":      {10, 10, 100, nil, 4},
		"grows":                   {75, 10, 100, nil, 0},
		"exactly the limit":       {100, 10, 100, nil, 0},
		"one more than the limit": {101, 10, 100, pseudofile.ErrTooLarge, 0},
		"far past the limit":      {9999, 10, 100, pseudofile.ErrTooLarge, 0},
		"buffer beyond the limit": {101, 1000, 100, pseudofile.ErrTooLarge, 0},
	} {
		t.Run(name, func(t *testing.T) {
			path, content := file(t, test.size)
			r := pseudofile.New(test.start, test.limit)
			got, err := r.Read(path)
			if !errors.Is(err, test.want) {
				t.Fatalf("error %v, want %v", err, test.want)
			}
			if err == nil && (!bytes.Equal(got, content) || r.Bytes != len(content)) {
				t.Errorf("read %d of %d bytes, counted %d", len(got), len(content), r.Bytes)
			}
			if err != nil && (got != nil || r.Bytes != 0) {
				t.Errorf("a file past the limit gives %d bytes", len(got))
			}
			if test.calls > 0 && r.Syscalls != test.calls {
				t.Errorf("%d system calls, want %d", r.Syscalls, test.calls)
			}
		})
	}
}

func TestKernelErrorsComeThrough(t *testing.T) {
	r := pseudofile.New(10, 100)
	if _, err := r.Read(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if _, err := r.Read("/proc/self/mem"); !errors.Is(err, unix.EIO) { // nothing is mapped at address 0
		t.Errorf("error %v", err)
	}
	if path, _ := file(t, 7); true {
		if got, err := r.Read(path); err != nil || len(got) != 7 {
			t.Errorf("after an error: %d bytes, error %v", len(got), err)
		}
	}
}
