package store

import (
	"bufio"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/ship"
)

// openSpool opens a spool that sends to the service.
func openSpool(t *testing.T, dir, url string) *ship.Shipper {
	t.Helper()
	p, err := ship.Open(ship.Config{Dir: dir, URL: url, Producer: contract.ProducerGenerator, Host: "h", Boot: "b"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// starts appends launch records, each with an observation beside it, and sends what waits.
func starts(t *testing.T, p *ship.Shipper, from, to uint64) {
	t.Helper()
	appendStarts(t, p, from, to)
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func appendStarts(t *testing.T, p *ship.Shipper, from, to uint64) {
	t.Helper()
	for n := from; n <= to; n++ {
		err := p.Append(
			contract.NewRecord(time.Now(), 0, "", contract.LaunchBody{Run: "r", Position: n, Outcome: contract.LaunchStarted}),
			contract.NewRecord(time.Now(), n, contract.SourceProcfs, contract.HostBody{CPUs: 2}),
		)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// arrived counts the launch records of each position.
func (s *service) arrived() map[uint64]int {
	s.t.Helper()
	res, err := s.http.Get(s.url + contract.PathRecords + "?kind=launch&limit=10000&format=ndjson")
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	got := make(map[uint64]int)
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		var r struct{ Position uint64 }
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			s.t.Fatalf("%v in %s", err, lines.Bytes())
		}
		got[r.Position]++
	}
	return got
}

// A data folder that is copied while everything runs, part after part, comes back with all that was there when the copy was
// begun, and takes what comes after it.
func TestACopyTakenWhileRunningRestoresWithoutLoss(t *testing.T) {
	for name, stateFirst := range map[string]bool{"state first": true, "records first": false} {
		t.Run(name, func(t *testing.T) {
			data, state, to := t.TempDir(), t.TempDir(), t.TempDir()
			parts := [][2]string{{state, filepath.Join(to, "state")}, {data, filepath.Join(to, "data")}}
			if !stateFirst {
				parts[0], parts[1] = parts[1], parts[0]
			}
			s := start(t, build(t), data)
			p := openSpool(t, state, s.url)
			starts(t, p, 1, 150)
			appendStarts(t, p, 151, 200) // they arrive between the copies
			for i, part := range parts {
				if out, err := exec.Command("cp", "-a", part[0], part[1]).CombinedOutput(); err != nil {
					t.Fatalf("copy: %v: %s", err, out)
				}
				starts(t, p, 201+uint64(i)*100, 300+uint64(i)*100)
			}
			p.Close()
			s.stop()

			s = start(t, build(t), filepath.Join(to, "data"))
			p = openSpool(t, filepath.Join(to, "state"), s.url)
			starts(t, p, 1001, 1300)
			p.Close()
			got := s.arrived()
			s.stop()
			for n, times := range got {
				if times != 1 {
					t.Errorf("position %d is there %d times", n, times)
				}
			}
			for n := uint64(1); n <= 1300; n++ {
				if (n <= 200 || n > 1000) && got[n] == 0 {
					t.Fatalf("position %d is lost", n)
				}
			}
		})
	}
}
