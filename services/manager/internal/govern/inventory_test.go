package govern_test

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/govern"
)

// atTicks runs the steps one after the other, each in the middle between two ticks.
func (w *fixture) atTicks(steps ...func()) {
	w.t.Helper()
	err := w.runWith(time.Duration(len(steps))*10*time.Second+9*time.Second, func(*govern.Governor) {
		time.Sleep(5 * time.Second)
		for _, step := range steps {
			step()
			time.Sleep(10 * time.Second)
		}
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func noop() {}

// inspected says how many inspections there were during the step.
func (w *fixture) inspected(counts *[]int) func() {
	return func() {
		sum := 0
		for n := range maps.Values(w.engine.Inspections()) {
			sum += n
		}
		*counts = append(*counts, sum)
	}
}

func TestAFailedReadingMakesNobodyBeInspected(t *testing.T) {
	runSynctest(t, 3, 2, func(w *fixture) {
		var inspections []int
		count := w.inspected(&inspections)
		w.atTicks(
			count,
			func() { w.reader.fail(errors.New("cut off")) },
			func() { count(); w.reader.fail(nil) },
			noop,
			count,
		)
		if inspections[0] != 5 || inspections[1] != inspections[0] || inspections[2] != inspections[0] {
			t.Errorf("inspections before, on and after a failed reading: %v, want 5 each time", inspections)
		}
	})
}

func TestAContainerThatOneReadingMissesIsNotInspected(t *testing.T) {
	runSynctest(t, 3, 2, func(w *fixture) {
		var inspections []int
		count := w.inspected(&inspections)
		w.atTicks(
			count,
			func() {
				w.reader.change(func(s *contract.Snapshot) { s.Containers = s.Containers[1:]; s.ContainerTotal-- })
			},
			func() { w.reader.change(nil) },
			noop,
			count,
		)
		if inspections[1] != inspections[0] {
			t.Errorf("inspections %v", inspections)
		}
	})
}

func TestAReaderWithACoarserClockMakesNobodyBeInspected(t *testing.T) {
	runSynctest(t, 3, 2, func(w *fixture) {
		var inspections []int
		count := w.inspected(&inspections)
		w.atTicks(
			count,
			func() {
				w.reader.change(func(s *contract.Snapshot) {
					for i := range s.Containers {
						s.Containers[i].StartUS -= 9_000
					}
				})
			},
			noop,
			count,
		)
		if inspections[1] != inspections[0] {
			t.Errorf("inspections %v", inspections)
		}
	})
}

func TestOnlyWhatWasStartedAgainIsInspected(t *testing.T) {
	runSynctest(t, 3, 2, func(w *fixture) {
		w.atTicks(noop, func() {
			w.engine.Change(id("low", 0), func(c *enginetest.Container) { c.StartedAt = "2026-02-02T00:00:00Z" })
			w.reader.use(id("low", 0), 10)
		}, noop, noop)
		for one, n := range w.engine.Inspections() {
			want := 1
			if one == id("low", 0) {
				want = 2
			}
			if n != want {
				t.Errorf("%.5s inspected %d times, want %d", one, n, want)
			}
		}
	})
}

const imageID = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

func TestAMovedTagChangesNeitherImageNorClass(t *testing.T) {
	tests := []struct {
		name  string
		moved bool // before the manager saw the container for the first time
		owned bool
	}{
		{"while the manager runs", false, true},
		{"before the manager starts", true, true},
		{"of a stranger, while the manager runs", false, false},
		{"of a stranger, before the manager starts", true, false},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			runSynctest(t, 0, 0, func(w *fixture) {
				one := strings.Repeat("d", 64)
				c := enginetest.Container{ID: one, Name: "one", Image: "gestor/low-idle"}
				if tt.owned {
					c.Labels = map[string]string{contract.LabelManaged: "true"}
				}
				w.engine.Add(c)
				w.reader.use(one, 10)
				move := func() { w.engine.Change(one, func(c *enginetest.Container) { c.Retagged = imageID }) }
				if tt.moved {
					move()
				}
				w.atTicks(noop, move, noop, noop)

				for _, b := range bodies[contract.ContainerBody](w.spool) {
					if b.Image != "gestor/low-idle" || b.Class != contract.ClassLow {
						t.Errorf("recorded as image %q of class %q", b.Image, b.Class)
					}
				}
				for _, b := range bodies[contract.DecisionBody](w.spool) {
					if b.Image != "gestor/low-idle" || b.Class != contract.ClassLow {
						t.Errorf("decided on as image %q of class %q", b.Image, b.Class)
					}
				}
				if n := w.engine.Inspections()[one]; n > 1 {
					t.Errorf("inspected %d times", n)
				}
			})
		})
	}
}
