package manager

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gestor.local/e2e/scenario"
)

// suite is one test's suite with what these tests read of its journal.
type suite struct{ *scenario.Suite }

// entry is as much of a journal line as these tests look at: the file is read as any user of jq would.
type entry struct {
	At      time.Time
	Carried bool
	Approve *struct{}
	Intent  *struct {
		ActionID string `json:"action_id"`
		Action   string
		Name     string
		Tick     uint64
		GUS      int64 `json:"g_us"`
		Notice   *struct{ Guard string }
	}
	Outcome *struct {
		ActionID string `json:"action_id"`
		Outcome  string
		GUS      int64 `json:"g_us"`
	}

	// Facts and Verdict are the number of the tick; a difference of clocks that is missing is that of before.
	Facts, Verdict *uint64
	BootUS         int64  `json:"boot_us"`
	GLessBootUS    *int64 `json:"g_less_boot_us"`
	WallLessGUS    *int64 `json:"wall_less_g_us"`
	Gates          []string
	Held           string
}

// entries reads the journal's only segment: these tests write little.
func (h suite) entries() []entry {
	h.Helper()
	out, _ := h.entriesFrom(0)
	return out
}

// entriesFrom reads what the journal has behind so many bytes, without a line that is being written, and says how many
// there are then.
func (h suite) entriesFrom(read int) (out []entry, size int) {
	h.Helper()
	files, err := filepath.Glob(filepath.Join(h.State, "journal", "*.ndjson"))
	if err != nil || len(files) == 0 {
		h.Fatalf("no journal in %s: %v", h.State, err)
	}

	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			h.Fatal(err)
		}

		text = text[:bytes.LastIndexByte(text, '\n')+1]
		from := min(max(read-size, 0), len(text))
		size += len(text)
		for line := range bytes.Lines(text[from:]) {
			var e entry
			if err := json.Unmarshal(line, &e); err != nil {
				h.Fatalf("%s: %v", path, err)
			}
			out = append(out, e)
		}
	}
	return out, size
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
