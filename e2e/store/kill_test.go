package store

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// producer sends numbered batches and remembers what was answered. A batch without answer is sent again, as a spool does.
type producer struct {
	next  uint64
	size  int
	acked map[uint64]uint64 // record → highest number of its answer, 0 when it was a duplicate
}

// run sends until there is no answer.
func (p *producer) run(s *service) {
	for {
		code, result := s.post(batch(p.next, p.size))
		if code != 200 || result.Accepted+result.Duplicates != p.size {
			return
		}
		for i := range uint64(p.size) {
			p.acked[p.next+i] = result.LastSeq
		}
		p.next += uint64(p.size)
	}
}

// Whatever was answered before a kill -9 is there after it, once, under a number of its answer.
func TestKilledUnderLoad(t *testing.T) {
	loops, look := 200, 100
	if os.Getenv("GESTOR_SOAK") == "1" {
		loops = 2000
	}
	bin, data := build(t), t.TempDir()
	rng := rand.New(rand.NewPCG(1, 2))
	producers := make([]*producer, 4)
	for i := range producers {
		producers[i] = &producer{next: uint64(i)<<40 + 1, size: []int{1, 7, 40, 100}[i], acked: map[uint64]uint64{}}
	}
	begun := time.Now()
	for loop := 1; loop <= loops; loop++ {
		s := start(t, bin, data, "GESTOR_SEGMENT_BYTES=1000000", "GESTOR_MIN_FREE=1")
		var work sync.WaitGroup
		for _, p := range producers {
			work.Go(func() { p.run(s) })
		}
		time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
		s.kill()
		work.Wait()
		if loop%look == 0 || loop == loops {
			s := start(t, bin, data)
			compare(t, s, producers)
			s.stop()
			t.Logf("%d of %d kills, %d records answered, %.0f s", loop, loops, answered(producers), time.Since(begun).Seconds())
		}
		if t.Failed() {
			t.Fatalf("in loop %d", loop)
		}
	}
	total := answered(producers)
	cmd := exec.Command(bin, "verify", "-all")
	cmd.Env = append(os.Environ(), "GESTOR_DATA="+data)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
	t.Logf("%d kills, %d records answered, none lost", loops, total)
	if total < loops {
		t.Errorf("only %d records in %d loops: this test showed nothing", total, loops)
	}
}

func answered(producers []*producer) (total int) {
	for _, p := range producers {
		total += len(p.acked)
	}
	return total
}

func compare(t *testing.T, s *service, producers []*producer) {
	t.Helper()
	stored := s.stored()
	for _, p := range producers {
		for pseq, last := range p.acked {
			seq, ok := stored[pseq]
			if !ok {
				t.Fatalf("record %d was answered and is lost", pseq)
			}
			if last != 0 && seq > last {
				t.Fatalf("record %d has the number %d; its answer went up to %d", pseq, seq, last)
			}
		}
	}
}

// On a full disk groups are refused whole with 507, what was answered stays, and records are taken again when there is
// room, without a restart.
func TestFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting a small tmpfs needs root")
	}
	data := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=4m", "gestor-test", data).CombinedOutput(); err != nil {
		t.Skipf("no tmpfs can be mounted here: %v: %s", err, out)
	}
	defer exec.Command("umount", data).Run()
	bin := build(t)
	for _, c := range []struct{ name, minFree string }{{"by the reserve", "1000000"}, {"by the disk itself", "1"}} {
		t.Run(c.name, func(t *testing.T) { fullDisk(t, bin, fmt.Sprintf("%s/%s", data, c.minFree), c.minFree) })
		os.RemoveAll(fmt.Sprintf("%s/%s", data, c.minFree))
	}
}

func fullDisk(t *testing.T, bin, data, minFree string) {
	ballast := data + "-ballast"
	if err := os.WriteFile(ballast, make([]byte, 1500<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, bin, data, "GESTOR_MIN_FREE="+minFree)
	p := &producer{next: 1, size: 100, acked: map[uint64]uint64{}}
	p.run(s)
	if code, _ := s.post(batch(p.next, p.size)); code != 507 {
		t.Fatalf("answered %d on a full disk", code)
	}
	compare(t, s, []*producer{p})
	taken := len(p.acked)
	if taken == 0 || len(s.stored()) != taken {
		t.Fatalf("%d answered, %d stored", taken, len(s.stored()))
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	p.run(s)
	if len(p.acked) <= taken {
		t.Errorf("nothing was taken after there was room again")
	}
	compare(t, s, []*producer{p})
	s.kill()
	s = start(t, bin, data, "GESTOR_MIN_FREE="+minFree)
	compare(t, s, []*producer{p})
	s.stop()
}
