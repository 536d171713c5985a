package chart

import (
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
)

// ruledRun is five minutes under a policy of version 2: two own containers, a stranger, and one that has ended.
func ruledRun() (records []contract.Record) {
	own := 3
	for tick := range 30 {
		at := epoch().Add(time.Duration(tick) * 10 * time.Second)
		add := func(body contract.Body) {
			r := contract.NewRecord(at, uint64(tick+1), contract.SourceProcfs, body)
			r.Host, r.Boot, r.Producer = "node1", "b", contract.ProducerManager
			records = append(records, r)
		}
		container := func(id string, owned bool) contract.ContainerBody {
			return contract.ContainerBody{
				Subject: contract.Subject{Container: id, Name: id, Class: contract.ClassUnknown}, Owned: owned, Measured: true,
				State: contract.StateRunning, Measures: contract.Measures{RAMKB: 1000}, AgeUS: uint64(tick) * 10_000_000,
			}
		}

		add(contract.HostBody{
			Memory: contract.Memory{TotalKB: 1 << 20, UsedKB: 1 << 19, AvailableKB: 1 << 19}, Own: &own, Mode: contract.ModeObserve,
			Held: contract.HeldObserve, GovernedRAMKB: 2000, Timings: contract.Timings{DecideUS: 100},
		})
		add(container("a", true))
		add(container("b", true))
		add(container("c", false))
		ended := container("d", true)
		ended.Measured, ended.State, ended.Why = false, contract.StateExited, contract.UnmeasuredNotRunning
		add(contract.DecisionBody{
			Subject: ended.Subject, Verdict: contract.VerdictRemove, Held: contract.HeldObserve, Ruling: contract.Ruling{Rule: "ended", Step: "remove"},
		})
		add(ended)
	}
	return records
}

// Under a policy of version 2 no class has places: the charts show who lives, and claim nothing of places or of how they were kept.
func TestChartsUnderVersion2ClaimNoPlaces(t *testing.T) {
	records := ruledRun()
	population := one(t, hour(records), records, "population")
	if got, want := population.Summary, "Last: 2 unknown (2.0 on average, 2 at most). 0 started, 0 removed."; got != want {
		t.Errorf("population: %q, want %q", got, want)
	}
	if pane := population.Panes[0]; len(pane.Bands) > 0 || pane.Title != "Containers" {
		t.Errorf("population: %q with %d bands", pane.Title, len(pane.Bands))
	}

	control := one(t, hour(records), records, "control")
	if strings.Contains(control.Summary, "over the policy") || !control.HasData() {
		t.Errorf("control: %q", control.Summary)
	}

	lives := one(t, hour(records), records, "lives")
	if want := "2 lives: 0 removed by the governor, 0 left by themselves, 2 alive."; !strings.Contains(lives.Summary, want) {
		t.Errorf("lives: %q, want %q: who does not run has none", lives.Summary, want)
	}
}
