package ship

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"

	"gestor.local/contract"
	"gestor.local/ship/shiptest"
	"gestor.local/wal/disk"
	"gestor.local/wal/disk/disktest"
)

// producer is one that loses power now and then, and sends to one log service all its lives long.
type producer struct {
	rng     *rand.Rand
	disk    *disktest.Mem
	service shiptest.Service
	refused *refusals
	given   uint64          // the last position that was appended, also in vain
	taken   map[uint64]bool // the positions whose Append returned nil
}

// errPowerOff is the error of every operation after a power cut.
var errPowerOff = errors.New("the power is off")

// TestPowerCut: an event whose Append returned is delivered, or refused when it was sent alone and in the quarantine,
// wherever the power is cut; nothing is delivered twice, and no number is given to two records.
func TestPowerCut(t *testing.T) {
	runs := 25
	if os.Getenv("GESTOR_SOAK") == "1" {
		runs = 2000
	}
	cuts := 0
	for seed := range uint64(runs) {
		p := &producer{
			rng: rand.New(rand.NewPCG(seed, 1)), disk: disktest.NewMem(),
			refused: &refusals{alone: map[uint64]bool{}}, taken: map[uint64]bool{},
		}
		for range 6 {
			if p.live(t, 5+p.rng.IntN(70)) {
				cuts++
			}
		}
		p.disk.Before = nil
		s := p.open(t)
		drain(t, s)
		must(t, s.Close())

		quarantined, err := quarantinedOn(p.disk, "spool")
		if err == nil {
			err = p.check(quarantined)
		}
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	if cuts < 4*runs {
		t.Errorf("only %d power cuts in %d runs", cuts, runs)
	}
}

// drain is flush without its waits after errors.
func drain(t *testing.T, s *Shipper) {
	t.Helper()
	for range 2000 {
		if sent, err := s.next(t.Context()); err == nil && sent == 0 {
			return
		}
	}
	t.Fatal("the spool does not run dry")
}

func (p *producer) open(t *testing.T) *Shipper {
	t.Helper()
	return open(t, "spool", &p.service, small, func(c *Config) { c.FS = p.disk })
}

// live opens the spool, appends and sends until the power is cut at the given operation, and leaves the disk as it is found
// then. cut is false when the life ended before.
func (p *producer) live(t *testing.T, operations int) (cut bool) {
	t.Helper()
	m := p.disk
	var after *disktest.Mem
	m.Before = func(op, _ string) error {
		if operations--; operations == 0 {
			after = m.Crash(p.rng)
		}
		if after != nil {
			return errPowerOff
		}
		if op == "write" && p.rng.IntN(25) == 0 {
			return errors.Join(syscall.ENOSPC, disktest.ErrShort)
		}
		return nil
	}
	defer func() {
		m.Before = nil
		if after != nil {
			p.disk = after
		}
	}()

	s, err := Open(Config{
		Dir: "spool", URL: "http://logs.test", Producer: contract.ProducerGenerator, Host: "h", Boot: "b",
		Client: p.service.Client(), MaxBytes: MinMaxBytes, FS: m,
	})
	if err != nil {
		if !errors.Is(err, errPowerOff) && !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		return after != nil
	}
	for range 40 {
		if after != nil {
			return true
		}
		p.act(t, s)
	}
	s.spool.close() // dies without a power cut
	return after != nil
}

// act does one thing that a producer does.
func (p *producer) act(t *testing.T, s *Shipper) {
	t.Helper()
	switch p.rng.IntN(4) {
	case 0:
		_, _ = s.next(t.Context()) // one request, whatever becomes of it
	case 1:
		p.service.Fail(faults[p.rng.IntN(len(faults))](p.refused))
	default:
		first := p.given + 1
		var records []contract.Record
		for range 1 + p.rng.IntN(3) {
			p.given++
			records = append(records, launch(p.given), host())
		}
		if s.Append(records...) == nil {
			for position := first; position <= p.given; position++ {
				p.taken[position] = true
			}
		}
	}
}

// check compares what arrived with what was taken.
func (p *producer) check(quarantined map[uint64]bool) error {
	arrived := map[uint64]int{}
	for _, position := range positions(&p.service) {
		if arrived[position]++; arrived[position] > 1 {
			return fmt.Errorf("position %d arrived twice", position)
		}
	}
	for position := range p.taken {
		if arrived[position] == 0 && !quarantined[position] {
			return fmt.Errorf("position %d was taken and is lost", position)
		}
	}
	for position := range quarantined { // what was never taken may lie there too: its newline was torn off
		if p.taken[position] && !p.refused.alone[position] {
			return fmt.Errorf("position %d was put into quarantine and never refused alone", position)
		}
	}

	given := map[string]uint64{}
	for _, r := range p.service.Records() {
		body, ok := r.Body.(contract.LaunchBody)
		if !ok {
			continue
		}
		key := fmt.Sprint(r.Boot, r.PSeq)
		if other, twice := given[key]; twice {
			return fmt.Errorf("positions %d and %d have one number", other, body.Position)
		}
		given[key] = body.Position
	}
	return nil
}

// quarantinedOn is the set of positions in the quarantine of a spool, both generations.
func quarantinedOn(fsys disk.FS, dir string) (map[uint64]bool, error) {
	quarantined := map[uint64]bool{}
	for _, name := range []string{quarantineFile, oldQuarantineFile} {
		text, err := disk.ReadFile(fsys, dir+"/"+name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = launchesIn(text, quarantined)
		}
		if err != nil {
			return nil, fmt.Errorf("quarantine: %w", err)
		}
	}
	return quarantined, nil
}
