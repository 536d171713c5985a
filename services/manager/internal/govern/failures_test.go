package govern

import "testing"

// What fails so often in a row is left alone until it changes, succeeds or is gone.
func TestFailureCounts(t *testing.T) {
	const stuckAfter = 3
	states := map[string]string{"a": "exited"}
	stateOf := func(id string) string { return states[id] }

	for name, change := range map[string]func(f *failureCounts){
		"it succeeds": func(f *failureCounts) { f.reset("a") },
		"it changes":  func(f *failureCounts) { states["a"] = "running"; f.prune(stateOf) },
		"it is gone":  func(f *failureCounts) { delete(states, "a"); f.prune(stateOf) },
	} {
		f := newFailureCounts()
		states["a"] = "exited"
		for want := 1; want <= 2*stuckAfter; want++ {
			f.prune(stateOf)
			inRow, since := f.add("a", stuckAfter)
			if inRow != want || since != (want == stuckAfter) || f.isStuck("a") != (want >= stuckAfter) {
				t.Errorf("%s: failure %d: %d in a row, stuck since then %t, stuck %t", name, want, inRow, since, f.isStuck("a"))
			}
		}
		if ids := f.stuckIDs(); len(ids) != 1 || ids[0] != "a" {
			t.Errorf("%s: stuck are %v", name, ids)
		}

		change(&f)
		if f.isStuck("a") || len(f.stuckIDs()) > 0 {
			t.Errorf("%s, and it is stuck all the same", name)
		}
		if inRow, _ := f.add("a", stuckAfter); inRow != 1 {
			t.Errorf("%s, and the next failure is %d in a row", name, inRow)
		}
	}
}
