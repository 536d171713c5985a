// Package assignment speaks the assignment's own format: an array of processes with their action, and one memory
// reading. It is taken at POST /logs and POST /memory and written by `gestor-logs export`.
package assignment

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
)

// Process is one element of the assignment's log. vsz and rss are in KB, the usages in per cent.
type Process struct {
	PID         int     `json:"pid"`
	ContainerID string  `json:"container_id"`
	Name        string  `json:"name"`
	VSZ         uint64  `json:"vsz"`
	RSS         uint64  `json:"rss"`
	MemoryUsage float64 `json:"memory_usage"`
	CPUUsage    float64 `json:"cpu_usage"`
	Action      string  `json:"action"`
	Timestamp   Stamp   `json:"timestamp"`
}

// Memory is the assignment's memory reading in KB.
type Memory struct {
	Total     uint64 `json:"total_ram"`
	Free      uint64 `json:"free_ram"`
	Used      uint64 `json:"used_ram"`
	Shared    uint64 `json:"shared_ram"`
	Timestamp Stamp  `json:"timestamp"`
}

// Stamp is a time as the editions of the assignment write it. The empty text is the zero time.
type Stamp struct{ time.Time }

// UnmarshalJSON takes RFC 3339, with or without zone, and a space instead of the T.
func (s *Stamp) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil || text == "" {
		return err
	}

	for _, whole := range []string{text, text + "Z", strings.Replace(text, " ", "T", 1) + "Z"} {
		if t, ok := line.ParseTime([]byte(whole)); ok {
			s.Time = t.UTC()
			return nil
		}
	}
	return fmt.Errorf("timestamp %q: write 2006-01-02T15:04:05Z", text)
}

// MarshalJSON writes RFC 3339.
func (s Stamp) MarshalJSON() ([]byte, error) { return json.Marshal(s.UTC().Format(time.RFC3339)) }

// Records makes a container record of the element, and a removal when its action says so. The course's containers are
// governed ones: the charts draw no others.
func (p Process) Records(now time.Time) []contract.Record {
	subject := contract.Subject{Container: p.ContainerID, Name: p.Name}
	out := []contract.Record{contract.NewRecord(p.Timestamp.orNow(now), 0, "", contract.ContainerBody{
		Subject: subject, Owned: true, Measured: true, PID: p.PID, Processes: 1,
		Measures:       contract.Measures{CPUMillicores: permille(p.CPUUsage), RAMKB: p.RSS, VSZKB: p.VSZ, RSSKB: p.RSS},
		MemoryPermille: permille(p.MemoryUsage), CPUPermille: permille(p.CPUUsage), Verdict: p.Action,
	})}

	if isRemoval(p.Action) {
		out = append(out, contract.NewRecord(p.Timestamp.orNow(now), 0, "", contract.ActionBody{
			Subject: subject, ActionID: fmt.Sprintf("seed-%d", p.PID), Action: contract.ActionRemove,
			Phase: contract.PhaseOutcome, Outcome: contract.OutcomeDone,
		}))
	}
	return out
}

// Record makes a host record of a memory reading.
func (m Memory) Record(now time.Time) contract.Record {
	used := m.Used
	if used == 0 && m.Total >= m.Free {
		used = m.Total - m.Free
	}

	return contract.NewRecord(m.Timestamp.orNow(now), 0, "", contract.HostBody{Memory: contract.Memory{
		TotalKB: m.Total, FreeKB: m.Free, AvailableKB: m.Total - min(used, m.Total), UsedKB: used, SharedKB: m.Shared,
	}})
}

// Producer names the records that were made of the assignment's own.
const Producer = "seed"

// FromRecord is the assignment's element of a container or action record; ok is false for what it has no word for. Of the
// actions those are elements that removed a container: an attempt that was refused, failed or only thought of is none, and
// neither is a throttle.
func FromRecord(r contract.Record) (p Process, ok bool) {
	switch b := r.Body.(type) {
	case contract.ContainerBody:
		if b.Why == contract.UnmeasuredNotRunning { // the assignment knows processes alone
			return p, false
		}
		return Process{
			PID: b.PID, ContainerID: b.Container, Name: b.Name, VSZ: b.VSZKB, RSS: b.RSSKB,
			MemoryUsage: float64(b.MemoryPermille) / 10, CPUUsage: float64(b.CPUMillicores) / 10, Action: exportedAction(r, b),
			Timestamp: Stamp{r.Time},
		}, true

	case contract.ActionBody:
		if !b.Removed() { // the assignment knows no container that was slowed down
			return p, false
		}
		return Process{ContainerID: b.Container, Name: b.Name, Action: b.Action, Timestamp: Stamp{r.Time}}, true

	default:
		return p, false
	}
}

// exportedAction is the action of a container record: as it was sent, or the verdict. A verdict to remove is a plan,
// which the record of the action itself has the end of.
func exportedAction(r contract.Record, b contract.ContainerBody) string {
	if r.Producer != Producer && b.Verdict == contract.VerdictRemove {
		return ""
	}
	return b.Verdict
}

func (s Stamp) orNow(now time.Time) time.Time {
	if s.IsZero() {
		return now.UTC().Truncate(time.Microsecond)
	}
	return s.Time
}

// permille turns per cent into tenths of a per cent; what is no number counts as nothing.
func permille(percent float64) uint64 {
	if !(percent > 0) {
		return 0
	}
	return uint64(math.Min(math.Round(percent*10), 1e9))
}

// isRemoval knows the words of the editions; the first one's service wrote "Killed".
func isRemoval(action string) bool {
	switch strings.ToLower(action) {
	case "kill", "killed", "stop", "stopped", "remove", "removed", "delete", "deleted", "eliminado":
		return true
	default:
		return false
	}
}
