package contract

import (
	"fmt"
	"math/bits"
)

// IsContainerID reports whether s is a full container id: 64 lower-case hex digits.
func IsContainerID(s string) bool { return isHex(s, 64) }

// checkRows returns every bad row, those known before included.
func (s *Snapshot) checkRows(known RowProblems) RowProblems {
	var rows RowProblems
	var pids map[int]struct{}
	repeated := repeatedIDs(s.Containers)
	for i := range s.Containers {
		row := rowProblems(i, &s.Containers[i])

		// A row with a member missing or of the wrong kind holds zeros, about which there is nothing more to say.
		if len(known) > 0 && known[0].Index == i {
			row.Problems, known = known[0].Problems, known[1:]
		} else {
			pids = s.checkRow(&row, pids)
		}

		if _, twice := repeated[row.ID]; twice {
			row.add("id", "the same id in more than one row")
		}
		if len(row.Problems) > 0 {
			rows = append(rows, row)
		}
	}
	return rows
}

func rowProblems(i int, c *Container) RowProblem {
	row := RowProblem{Index: i}
	if IsContainerID(c.ID) {
		row.ID = c.ID
	}
	return row
}

func (r *RowProblem) add(field, what string) {
	r.Problems.Add(fmt.Sprintf("containers[%d].%s", r.Index, field), what)
}

// checkRow checks one row. pids is reused from row to row.
func (s *Snapshot) checkRow(row *RowProblem, pids map[int]struct{}) map[int]struct{} {
	c := &s.Containers[row.Index]
	latest := s.MonotonicUS + s.Self.WalkUS + startSlackUS
	if row.ID == "" {
		row.add("id", "want 64 lower-case hex digits")
	}
	if c.StartUS > latest {
		row.add("start_us", "after the end of the walk")
	}

	threads := 0
	pids = clearSet(pids, len(c.Processes))
	for i := range c.Processes {
		p := &c.Processes[i]
		threads += p.Threads
		checkProcess(row, i, p, latest)

		if _, twice := pids[p.PID]; twice {
			row.add(fmt.Sprintf("processes[%d].pid", i), fmt.Sprintf("%d stands twice", p.PID))
		}
		pids[p.PID] = struct{}{}
	}

	// In a truncated document the counts say what is on the host, and the rows what was room for.
	if c.ProcessCount != len(c.Processes) && !(s.Truncated && c.ProcessCount > len(c.Processes)) {
		row.add("process_count", fmt.Sprintf("%d, but there are %d processes", c.ProcessCount, len(c.Processes)))
	}
	if c.ThreadCount != threads && !(s.Truncated && c.ThreadCount > threads) {
		row.add("thread_count", fmt.Sprintf("%d, but the processes have %d", c.ThreadCount, threads))
	}
	return pids
}

func checkProcess(row *RowProblem, i int, p *Process, latest uint64) {
	at := func(field string) string { return fmt.Sprintf("processes[%d].%s", i, field) }
	if p.PID < 1 {
		row.add(at("pid"), "want 1 or more")
	}
	if len(p.State) != 1 {
		row.add(at("state"), "want one letter")
	}
	if p.StartUS > latest {
		row.add(at("start_us"), "after the end of the walk")
	}
}

// repeatedIDs returns the ids that stand in more than one row.
func repeatedIDs(rows []Container) map[string]struct{} {
	seen := make(map[string]struct{}, len(rows))
	var repeated map[string]struct{} // made when needed: nearly never
	for i := range rows {
		id := rows[i].ID
		if _, known := seen[id]; known && id != "" {
			if repeated == nil {
				repeated = make(map[string]struct{})
			}
			repeated[id] = struct{}{}
		}

		seen[id] = struct{}{}
	}
	return repeated
}

// clearSet empties the set, or makes one for n members.
func clearSet(set map[int]struct{}, n int) map[int]struct{} {
	if set == nil {
		return make(map[int]struct{}, 1<<bits.Len(uint(n)))
	}
	clear(set)
	return set
}
