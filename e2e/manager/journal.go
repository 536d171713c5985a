package manager

import (
	"bufio"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"gestor.local/e2e/scenario"
)

// suite is one test's suite with what these tests read of its journal.
type suite struct{ *scenario.Suite }

// entry is as much of a journal line as these tests look at: the file is read as any user of jq would.
type entry struct {
	Carried bool
	Intent  *struct {
		ActionID string `json:"action_id"`
		Action   string
		Tick     uint64
	}
	Outcome *struct {
		ActionID string `json:"action_id"`
		Outcome  string
	}
}

// entries reads the journal's only segment: these tests write little.
func (h suite) entries() (out []entry) {
	h.Helper()
	files, err := filepath.Glob(filepath.Join(h.State, "journal", "*.ndjson"))
	if err != nil || len(files) == 0 {
		h.Fatalf("no journal in %s: %v", h.State, err)
	}

	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			h.Fatal(err)
		}

		// A line holds a whole tick, and may be far longer than a scanner takes by itself.
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			var e entry
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				h.Fatalf("%s: %v", path, err)
			}
			out = append(out, e)
		}

		if err := lines.Err(); err != nil {
			h.Fatal(err)
		}
		f.Close()
	}
	return out
}

// openIntents are the actions that have no outcome but "unknown".
func (h suite) openIntents() []string {
	h.Helper()
	open := make(map[string]bool)
	for _, e := range h.entries() {
		switch {
		case e.Intent != nil:
			open[e.Intent.ActionID] = true
		case e.Outcome != nil && e.Outcome.Outcome != "unknown":
			delete(open, e.Outcome.ActionID)
		}
	}
	return slices.Sorted(maps.Keys(open))
}

// removalsPerTick counts the intents to remove of each tick that had any.
func (h suite) removalsPerTick() []int {
	h.Helper()
	ticks := make(map[uint64]int)
	for _, e := range h.entries() {
		if e.Intent != nil && !e.Carried && e.Intent.Action == "remove" {
			ticks[e.Intent.Tick]++
		}
	}
	return slices.Collect(maps.Values(ticks))
}
