package kmod_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gestor.local/contract"
	"gestor.local/manager/internal/source/kmod"
)

const bootID = "c2bda33c-f945-4472-9e28-9441e3d1fa77"

// host makes a /proc with a boot id and, unless doc is nil, the module's file.
func host(t testing.TB, doc []byte) string {
	t.Helper()
	proc := t.TempDir()
	if err := os.MkdirAll(filepath.Join(proc, "sys/kernel/random"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(proc, "sys/kernel/random/boot_id"), []byte(bootID+"\n"))
	if doc != nil {
		write(t, filepath.Join(proc, kmod.DefaultName), doc)
	}
	return proc
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// document is what the module writes on a host with n containers of ten processes.
func document(t testing.TB, n int) []byte {
	t.Helper()
	s := contract.Snapshot{
		Version: contract.SnapshotVersion, Source: contract.SourceModule, Instance: "0123456789abcdef", Sequence: 1,
		MonotonicUS: 1_000_000, RealtimeUS: 1, CPUs: 2, PageSize: 4096,
		Capabilities: contract.Capabilities{Cgroup: 2, CPUSource: contract.CPUSourceCgroup},
		Memory:       contract.Memory{TotalKB: 1, UsedKB: 1}, Containers: []contract.Container{},
		ContainerTotal: n, ProcessTotal: 10 * n, End: true,
	}

	for i := range n {
		c := contract.Container{ID: fmt.Sprintf("%064x", i), CgroupID: uint64(i), ProcessCount: 10, ThreadCount: 10}
		for k := range 10 {
			c.Processes = append(c.Processes, contract.Process{PID: 100 + 10*i + k, Name: "stress-ng-cpu", State: "R", Threads: 1})
		}
		s.Containers = append(s.Containers, c)
	}

	doc, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return append(doc, '\n')
}

func TestReadIsOneOpen(t *testing.T) {
	doc := document(t, 3)
	r := kmod.New(kmod.Options{Proc: host(t, doc)})
	for i, wantCalls := range []int{8, 4} { // open, read, read of the end, close; the first time for the boot id too
		snap, bad, cost, err := r.Read()
		if err != nil || bad != nil {
			t.Fatalf("error %v, rows %v", err, bad)
		}
		if snap.BootID != bootID || len(snap.Containers) != 3 {
			t.Errorf("read %+v", snap)
		}

		if cost.Bytes != len(doc) || cost.Syscalls != wantCalls || cost.Read <= 0 || cost.Parse <= 0 {
			t.Errorf("reading %d cost %+v, want %d bytes in %d calls", i+1, cost, len(doc), wantCalls)
		}
	}
}

func TestLargeDocumentGrowsTheBufferOnce(t *testing.T) {
	doc := document(t, 600) // more than a mebibyte
	r := kmod.New(kmod.Options{Proc: host(t, doc)})
	if _, _, _, err := r.Read(); err != nil {
		t.Fatal(err)
	}
	if _, _, cost, err := r.Read(); err != nil || cost.Syscalls != 4 || cost.Bytes != len(doc) {
		t.Errorf("error %v; the buffer was not kept: %+v", err, cost)
	}
}

// TestPieces reads what a kernel gives in pieces, as seq_file does with a page at a time.
func TestPieces(t *testing.T) {
	doc, proc := document(t, 20), host(t, nil)
	path := filepath.Join(proc, kmod.DefaultName)
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		for rest := doc; err == nil && len(rest) > 0; {
			n := min(len(rest), 1000)
			_, err = f.Write(rest[:n])
			rest = rest[n:]
		}
		written <- errors.Join(err, f.Close())
	}()

	snap, _, cost, err := kmod.New(kmod.Options{Proc: proc}).Read()
	if werr := <-written; werr != nil || err != nil {
		t.Fatal(err, werr)
	}
	if len(snap.Containers) != 20 || cost.Bytes != len(doc) {
		t.Errorf("%d containers from %d of %d bytes", len(snap.Containers), cost.Bytes, len(doc))
	}
}

func TestErrors(t *testing.T) {
	whole := document(t, 3)
	for name, test := range map[string]struct {
		doc   []byte
		limit int
		want  error
		says  string
	}{
		"no file":              {nil, 0, kmod.ErrNotLoaded, "make insmod"},
		"past the limit":       {whole, len(whole) - 1, kmod.ErrTooLarge, "max_procs"},
		"far past the limit":   {document(t, 600), 1000, kmod.ErrTooLarge, "1000 bytes"},
		"cut":                  {whole[:len(whole)/2], 0, contract.ErrSyntax, "parse snapshot"},
		"empty":                {[]byte{}, 0, contract.ErrSyntax, "parse snapshot"},
		"of a later version":   {bytes.Replace(whole, []byte(`"version":1`), []byte(`"version":9`), 1), 0, contract.ErrVersion, "9"},
		"with bytes behind it": {append(whole[:len(whole):len(whole)], '{'), 0, contract.ErrTrailing, "byte"},
	} {
		t.Run(name, func(t *testing.T) {
			proc := host(t, test.doc)
			snap, bad, cost, err := kmod.New(kmod.Options{Proc: proc, Limit: test.limit}).Read()
			if !errors.Is(err, test.want) || snap != nil || bad != nil {
				t.Fatalf("error %v, want %v; snapshot %v", err, test.want, snap)
			}
			if !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), proc) {
				t.Errorf("%q does not say %q and the path", err, test.says)
			}
			if cost.Syscalls == 0 {
				t.Error("the failed read cost nothing")
			}
		})
	}
}

func TestDocumentOfExactlyTheLimit(t *testing.T) {
	doc := document(t, 3)
	if _, _, _, err := kmod.New(kmod.Options{Proc: host(t, doc), Limit: len(doc)}).Read(); err != nil {
		t.Error(err)
	}
}

// TestUnloadedWhileOpen meets the kernel's EIO, which the memory of a process gives at address 0.
func TestUnloadedWhileOpen(t *testing.T) {
	proc := host(t, nil)
	if err := os.Symlink("/proc/self/mem", filepath.Join(proc, kmod.DefaultName)); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := kmod.New(kmod.Options{Proc: proc}).Read(); !errors.Is(err, kmod.ErrNotLoaded) || !errors.Is(err, unix.EIO) {
		t.Errorf("error %v, want that the module is not loaded", err)
	}
}

func TestComesAndGoes(t *testing.T) {
	proc := host(t, nil)
	r := kmod.New(kmod.Options{Proc: proc})
	path := filepath.Join(proc, kmod.DefaultName)
	for range 2 {
		if _, _, _, err := r.Read(); !errors.Is(err, kmod.ErrNotLoaded) {
			t.Fatalf("error %v", err)
		}
		write(t, path, document(t, 1))
		if _, _, _, err := r.Read(); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNoBootID(t *testing.T) {
	proc := host(t, document(t, 1))
	if err := os.Remove(filepath.Join(proc, "sys/kernel/random/boot_id")); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := kmod.New(kmod.Options{Proc: proc}).Read(); err == nil || !strings.Contains(err.Error(), "boot id") {
		t.Errorf("error %v", err)
	}
}

func BenchmarkRead(b *testing.B) {
	for _, n := range []int{10, 200, 1000} {
		b.Run(fmt.Sprintf("containers=%d", n), func(b *testing.B) {
			r := kmod.New(kmod.Options{Proc: host(b, document(b, n))})
			b.ReportAllocs()
			for b.Loop() {
				if _, _, _, err := r.Read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
