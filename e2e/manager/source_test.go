package manager

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gestor.local/contract"
	"gestor.local/e2e/scenario"
)

// TestSourceThatDisappears has the manager read the module's document from a file, and takes the file away.
func TestSourceThatDisappears(t *testing.T) {
	if testing.Short() {
		t.Skip("watches the manager for half a minute: left out by -short")
	}
	h := newFixture(t)
	ids := h.StartContainers(5)
	m := newModule(h, ids[:3])
	p := h.StartManager("gates:\n  degraded_after: 3\n  alarm_after: 6\n", "GESTOR_SOURCE=module", "GESTOR_PROC="+m.proc)
	p.WaitTicks(3) // three low ones are in the document: nothing to do
	m.stop()
	scenario.Eventually(t, scenario.Soon, "the missing source is a named gate and readiness says so", func() error {
		r, err := p.Ready()
		if err != nil {
			return err
		}
		if !slices.Contains(r.Gates, "no_source") || r.Status != "degraded" {
			return fmt.Errorf("%+v", r)
		}
		return nil
	})
	before := scenario.CPUTime(t, p.PID())
	const watch = 30 * time.Second
	scenario.Always(t, watch, "nothing is removed without a source", func() error {
		if n := len(h.ContainerNames()); n != 5 {
			return fmt.Errorf("%d of 5 are left", n)
		}
		return nil
	})
	used := scenario.CPUTime(t, p.PID()) - before
	t.Logf("the manager used %s of CPU in %s", used, watch)
	if used > watch*10/100 { // one look every two seconds; a loop without a pause takes all it gets
		t.Errorf("%s of CPU in %s are more than 10 %% of a core: a busy loop", used, watch)
	}
	if len(p.Actions()) != 0 {
		t.Errorf("actions %v", p.Actions())
	}
	p.Stop()
}

// module writes the module's document once a second, as the kernel would give it out.
type module struct {
	proc string
	quit chan struct{}
	gone chan struct{}
}

func newModule(h suite, ids []string) *module {
	h.Helper()
	m := &module{proc: h.TempDir(), quit: make(chan struct{}), gone: make(chan struct{})}
	boot := filepath.Join(m.proc, "sys/kernel/random")
	if err := errors.Join(os.MkdirAll(boot, 0o700), os.WriteFile(filepath.Join(boot, "boot_id"), []byte("b\n"), 0o600)); err != nil {
		h.Fatal(err)
	}
	file := filepath.Join(m.proc, "sysinfo_gestor")
	var rows []scenario.ContainerState
	for _, id := range ids {
		one, err := h.Engine.Inspect(h.Context(), id)
		if err != nil {
			h.Fatal(err)
		}
		rows = append(rows, one)
	}
	go func() {
		defer close(m.gone)
		beat := time.NewTicker(500 * time.Millisecond)
		defer beat.Stop()
		for sequence := uint64(1); ; sequence++ {
			if err := publish(file, document(sequence, rows)); err != nil {
				h.Errorf("write the document: %v", err)
			}
			select {
			case <-beat.C:
			case <-m.quit:
				if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
					h.Errorf("remove the document: %v", err)
				}
				return
			}
		}
	}()
	return m
}

// stop takes the file away, as rmmod does.
func (m *module) stop() {
	close(m.quit)
	<-m.gone
}

// publish replaces the file in one step: a reader never meets a half-written one.
func publish(path string, s contract.Snapshot) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func document(sequence uint64, rows []scenario.ContainerState) contract.Snapshot {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) // every Linux has it
	s := contract.Snapshot{
		Version: contract.SnapshotVersion, Source: contract.SourceModule, Instance: "00000000000000aa", Sequence: sequence,
		MonotonicUS: uint64(now.Nano() / 1000), RealtimeUS: uint64(time.Now().UnixMicro()), CPUs: 2, PageSize: 4096,
		Capabilities: contract.Capabilities{Cgroup: 1, CPUSource: contract.CPUSourceCgroup},
		Memory:       contract.Memory{TotalKB: 1 << 20, FreeKB: 1 << 19, AvailableKB: 1 << 19, UsedKB: 1 << 19},
		End:          true, ContainerTotal: len(rows), ProcessTotal: len(rows), Containers: []contract.Container{},
	}
	for i, row := range rows {
		s.Containers = append(s.Containers, contract.Container{
			ID: row.ID, CgroupID: uint64(i + 1), ProcessCount: 1, ThreadCount: 1, CPUUS: sequence * 1000, RSSKB: 500, VSZKB: 1000, StartUS: 1000,
			Processes: []contract.Process{{PID: row.PID, PPID: 1, Name: "payload", State: "S", Threads: 1, StartUS: 1000, CPUUS: sequence * 1000, VSZKB: 1000, RSSKB: 500}},
		})
	}
	return s
}
