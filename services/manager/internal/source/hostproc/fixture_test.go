package hostproc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/manager/internal/source/hostproc"
)

var update = flag.Bool("update", false, "write the golden documents anew")

// The captured hosts, made with scripts/capture-fixture.sh:
//
//	cgroup1       Docker 20.10 with the cgroupfs driver on Linux 6.18, hybrid layout, real containers
//	cgroup2       Debian's Linux 6.12 with cgroups as docker (systemd and cgroupfs drivers), podman and
//	              containerd under kubernetes lay them out
//	cgroup2-5.10  the same on Debian's Linux 5.10, which has no memory.peak
var fixtures = []string{"cgroup1", "cgroup2", "cgroup2-5.10"}

// captured returns the options by which a captured host is read.
func captured(t *testing.T, name string) hostproc.Options {
	t.Helper()
	dir := filepath.Join("testdata", name)
	b, err := os.ReadFile(filepath.Join(dir, "clock"))
	if err != nil {
		t.Fatal(err)
	}

	var monotonicUS, realtimeUS uint64
	if _, err := fmt.Sscan(string(b), &monotonicUS, &realtimeUS); err != nil {
		t.Fatalf("clock of %s: %v", name, err)
	}
	return hostproc.Options{
		Proc: filepath.Join(dir, "proc"), Cgroup: filepath.Join(dir, "cgroup"),
		Clock: func() (uint64, uint64) { return monotonicUS, realtimeUS },
	}
}

// read takes one valid snapshot.
func read(t *testing.T, o hostproc.Options) (*contract.Snapshot, hostproc.Cost) {
	t.Helper()
	if os.Getpagesize() != 4096 {
		t.Skip("the captured hosts have pages of 4 KiB")
	}
	r, err := hostproc.New(o)
	if err != nil {
		t.Fatal(err)
	}

	snap, cost, err := r.Read(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if bad, err := snap.Validate(); err != nil || bad != nil {
		t.Fatalf("the snapshot is not valid: %v, rows %v", err, bad)
	}
	return snap, cost
}

// clearVolatile replaces what differs from run to run.
func clearVolatile(snap *contract.Snapshot) {
	snap.Instance, snap.Self.WalkUS = "5eed5eed5eed5eed", 1234
	for i := range snap.Containers {
		snap.Containers[i].CgroupID = uint64(1000 + i) // the inode of a captured folder
	}
}

// TestGolden compares whole documents with those that were looked through. The contract has golden documents of the
// same hosts that are never edited: they are of a reader that took another file's RSS.
func TestGolden(t *testing.T) {
	for _, name := range fixtures {
		t.Run(name, func(t *testing.T) {
			o := captured(t, name)
			o.CmdlineMax = 256
			snap, _ := read(t, o)
			clearVolatile(snap)
			got, err := json.MarshalIndent(snap, "", " ")
			if err != nil {
				t.Fatal(err)
			}

			got = append(got, '\n')
			path := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}

			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(want, got) {
				t.Errorf("differs from %s (-want +got):\n%s", path, cmp.Diff(string(want), string(got)))
			}
		})
	}
}

// What /proc/PID/stat says is 13–20 % less on the hosts whose kernel counts per CPU.
func TestRSSIsThatOfStatus(t *testing.T) {
	for _, name := range fixtures {
		o := captured(t, name)
		snap, _ := read(t, o)
		for _, c := range snap.Containers {
			var sum uint64
			for _, p := range c.Processes {
				text, err := os.ReadFile(filepath.Join(o.Proc, itoa(p.PID), "status"))
				if err != nil {
					t.Fatal(err)
				}
				var want uint64
				if _, rest, ok := bytes.Cut(text, []byte("VmRSS:")); ok {
					if _, err := fmt.Sscan(string(rest), &want); err != nil {
						t.Fatal(err)
					}
				}

				if sum += want; p.RSSKB != want {
					t.Errorf("%s: process %d has %d KB, status says %d", name, p.PID, p.RSSKB, want)
				}
			}

			if c.RSSKB != sum {
				t.Errorf("%s: container %.12s has %d KB, its processes %d", name, c.ID, c.RSSKB, sum)
			}
		}
	}
}

func itoa(n int) string { return fmt.Sprint(n) }
