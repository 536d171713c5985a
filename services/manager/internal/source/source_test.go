package source_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"gestor.local/contract"
	"gestor.local/manager/internal/source"
	"gestor.local/manager/internal/source/hostproc"
	"gestor.local/manager/internal/source/kmod"
)

// fixture is a host of files: a captured /proc and cgroup tree, to which the module's file can be added.
type fixture struct {
	t      *testing.T
	proc   string
	cgroup string
	log    bytes.Buffer
	*source.Selector
}

func newFixture(t *testing.T, choice source.Choice) *fixture {
	t.Helper()
	r := &fixture{t: t, proc: filepath.Join(t.TempDir(), "host", "proc")}
	r.cgroup = filepath.Join(filepath.Dir(r.proc), "cgroup")
	if err := os.CopyFS(filepath.Dir(r.proc), os.DirFS(filepath.Join("hostproc", "testdata", "cgroup2"))); err != nil {
		t.Fatal(err)
	}

	e, err := source.Open(source.Options{
		Choice: choice,
		Module: kmod.Options{Proc: r.proc},
		Procfs: hostproc.Options{
			Proc: r.proc, Cgroup: r.cgroup,
			Clock: func() (uint64, uint64) { return 20_000_000, 1 },
		},
	}, zerolog.New(&r.log))
	if err != nil {
		t.Fatal(err)
	}

	r.Selector = e
	return r
}

// loadModule puts the module's file there, with one change to a valid document.
func (r *fixture) loadModule(old, new string) {
	r.t.Helper()
	doc, err := json.Marshal(contract.Snapshot{
		Version: contract.SnapshotVersion, Source: contract.SourceModule, Instance: "0123456789abcdef", Sequence: 1,
		MonotonicUS: 1, RealtimeUS: 1, CPUs: 1, PageSize: 4096, Memory: contract.Memory{TotalKB: 1, UsedKB: 1},
		Capabilities:   contract.Capabilities{Cgroup: 2, CPUSource: contract.CPUSourceCgroup},
		Containers:     []contract.Container{{ID: strings.Repeat("a", 64), Processes: []contract.Process{}}},
		ContainerTotal: 1, End: true,
	})
	if err != nil {
		r.t.Fatal(err)
	}

	doc = bytes.Replace(doc, []byte(old), []byte(new), 1)
	if err := os.WriteFile(filepath.Join(r.proc, kmod.DefaultName), doc, 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *fixture) unloadModule() {
	r.t.Helper()
	if err := os.Remove(filepath.Join(r.proc, kmod.DefaultName)); err != nil {
		r.t.Fatal(err)
	}
}

// readFrom reads and checks where the reading comes from.
func (r *fixture) readFrom(source string) source.Reading {
	r.t.Helper()
	got, err := r.Read(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	if got.Source != source || got.Snapshot.Source != source || got.Bytes == 0 || got.Syscalls == 0 || got.Read <= 0 {
		r.t.Fatalf("reading %+v of %q, want %q", got, got.Snapshot.Source, source)
	}
	return got
}

// logged counts the log lines with the text.
func (r *fixture) logged(text string) int { return strings.Count(r.log.String(), text) }

func TestAutoFollowsTheModule(t *testing.T) {
	r := newFixture(t, source.Auto)
	r.readFrom(contract.SourceProcfs)
	r.readFrom(contract.SourceProcfs)
	if r.logged(`"level":"warn"`) != 1 || r.logged("make insmod") != 1 {
		t.Errorf("the missing module is not logged once, with the next step:\n%s", r.log.String())
	}
	r.loadModule("", "")
	r.readFrom(contract.SourceModule)
	r.readFrom(contract.SourceModule)

	if r.logged("through the kernel module") != 1 {
		t.Errorf("the switch is not logged once:\n%s", r.log.String())
	}
	r.unloadModule()
	r.readFrom(contract.SourceProcfs)
	if r.logged("through /proc") != 2 {
		t.Errorf("the switch back is not logged:\n%s", r.log.String())
	}
}

func TestAutoUsesProcfsWhenTheModuleIsOfAnotherRelease(t *testing.T) {
	r := newFixture(t, source.Auto)
	r.loadModule(`"version":1`, `"version":2`)
	r.readFrom(contract.SourceProcfs)
	if r.logged("same release") != 1 {
		t.Errorf("the reason is not logged:\n%s", r.log.String())
	}
}

// TestAutoDoesNotHideADamagedDocument: another source's answer would make the damage invisible.
func TestAutoDoesNotHideADamagedDocument(t *testing.T) {
	r := newFixture(t, source.Auto)
	r.loadModule(`"end":true`, `"end":false`)
	if _, err := r.Read(context.Background()); err == nil || !strings.Contains(err.Error(), "end: want true") {
		t.Errorf("error %v", err)
	}
}

func TestModuleOnly(t *testing.T) {
	r := newFixture(t, source.Module)
	if _, err := r.Read(context.Background()); !errors.Is(err, kmod.ErrNotLoaded) {
		t.Errorf("error %v, want that the module is not loaded", err)
	}
	r.loadModule(`"cpu_us":0`, `"cpu_us":-1`)
	if got := r.readFrom(contract.SourceModule); !got.Bad.Has(0) || got.Parse <= 0 {
		t.Errorf("the bad row is not reported: %+v", got)
	}
}

func TestProcfsOnly(t *testing.T) {
	r := newFixture(t, source.Procfs)
	r.loadModule("", "")
	if got := r.readFrom(contract.SourceProcfs); len(got.Snapshot.Containers) != 7 {
		t.Errorf("%d containers", len(got.Snapshot.Containers))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()

	if _, err := r.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestContainersWithoutACgroupAreLoggedOnce(t *testing.T) {
	r := newFixture(t, source.Procfs)
	if err := os.RemoveAll(filepath.Join(r.cgroup, "system.slice")); err != nil {
		t.Fatal(err)
	}

	for i := range 5 {
		if got := r.readFrom(contract.SourceProcfs); got.Unlocated != 4 || len(got.Snapshot.Containers) != 3 {
			t.Fatalf("%d unlocated, %d rows", got.Unlocated, len(got.Snapshot.Containers))
		}
		want := 0
		if i >= 2 {
			want = 1
		}

		if r.logged("GESTOR_CGROUP") != want {
			t.Errorf("after reading %d it was logged %d times, want %d", i+1, r.logged("GESTOR_CGROUP"), want)
		}
	}
}

func TestOpenNeedsTheFilesOfTheChoice(t *testing.T) {
	nowhere := source.Options{
		Module: kmod.Options{Proc: "testdata/nowhere"},
		Procfs: hostproc.Options{Proc: "testdata/nowhere", Cgroup: "testdata/nowhere"},
	}
	for choice, fails := range map[source.Choice]bool{source.Auto: true, source.Procfs: true, source.Module: false} {
		o := nowhere
		o.Choice = choice
		if _, err := source.Open(o, zerolog.Nop()); (err != nil) != fails {
			t.Errorf("%s: error %v", choice, err)
		}
	}
}

func TestAutoWorksWithTheModuleAlone(t *testing.T) {
	r := newFixture(t, source.Auto)
	r.loadModule("", "")
	o := source.Options{
		Choice: source.Auto, Module: kmod.Options{Proc: r.proc},
		Procfs: hostproc.Options{Proc: r.proc, Cgroup: "testdata/nowhere"},
	}

	var err error
	if r.Selector, err = source.Open(o, zerolog.New(&r.log)); err != nil {
		t.Fatal(err)
	}
	if r.logged("only the kernel module") != 1 {
		t.Errorf("it is not logged:\n%s", r.log.String())
	}

	r.readFrom(contract.SourceModule)
	r.unloadModule()
	if _, err := r.Read(context.Background()); !errors.Is(err, kmod.ErrNotLoaded) {
		t.Errorf("error %v", err)
	}
	if _, err := source.Open(o, zerolog.Nop()); err == nil || !errors.Is(err, kmod.ErrNotLoaded) || !strings.Contains(err.Error(), "GESTOR_CGROUP") {
		t.Errorf("error %v, want both reasons", err)
	}
}

func TestChoiceText(t *testing.T) {
	var c source.Choice
	if err := c.UnmarshalText([]byte("procfs")); err != nil || c != source.Procfs {
		t.Errorf("%q, error %v", c, err)
	}
	if err := c.UnmarshalText([]byte("ebpf")); err == nil || !strings.Contains(err.Error(), "auto, module or procfs") {
		t.Errorf("error %v", err)
	}
}
