package govern_test

import (
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/govern"
)

// Stops of minutes keep all workers busy: who waits for one is not stopped for what held when his order was given.
func TestWhoWaitsForAWorkerIsJudgedAnew(t *testing.T) {
	runSynctest(t, 0, 0, func(w *fixture) {
		w.slowStrangers(3, 290*time.Second)
		w.options.Version2 = approved(version2(t, `own: [{label: preview.branch}]
surprise: 100%
act: {parallel: 1}
rules:
  - {name: old, when: {processes: 2}, do: stop}
`), 3)
		w.reader.change(func(s *contract.Snapshot) {
			for i := range s.Containers {
				s.Containers[i].ProcessCount = 5
				s.ProcessTotal += 4
			}
		})
		err := w.runWith(time.Hour+5*time.Second, func(*govern.Governor) {
			for len(w.engine.Calls()) == 0 {
				time.Sleep(time.Second)
			}
			time.Sleep(20 * time.Second)
			w.reader.change(func(s *contract.Snapshot) {
				for i := range s.Containers {
					s.Containers[i].ProcessCount = 1
				}
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		calls := w.engine.Calls()
		for _, c := range calls[1:] {
			t.Errorf("%s of %s %s after the first call", c.Op, c.ID[60:], c.At.Sub(calls[0].At))
		}
		w.spool.wantOutcomes(t, contract.ActionStop, map[string]int{contract.OutcomeDone: 1, contract.OutcomeRefused: 2})
		if problem := w.replayed(); problem != "" {
			t.Error(problem)
		}
	})
}
