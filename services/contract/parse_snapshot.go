package contract

import "fmt"

// MaxSnapshotBytes is the largest snapshot that is read: some 20,000 containers of ten processes.
const MaxSnapshotBytes = 64 << 20

// ParseSnapshot reads one snapshot document.
//
// The error is about the whole document: text that is not one complete JSON object (so every truncated prefix), invalid
// UTF-8, a duplicate key at any depth, a missing or wrong header, memory or trailer field, an unknown version, totals
// that do not agree with the rows. Then there is no snapshot. It is a [Problems] where the text itself was sound, which
// lists all of them.
//
// What is wrong with single container rows (a missing or wrong field, a malformed or repeated id, a repeated PID, counts
// that disagree) is returned as RowProblems beside the snapshot: those containers exist, and nothing else about them may
// be believed. A Truncated document is returned as it is; it is for the reader to refuse it.
//
// Unknown fields are ignored, so that a newer writer of the same version is understood.
func ParseSnapshot(b []byte) (*Snapshot, RowProblems, error) {
	if len(b) > MaxSnapshotBytes {
		return nil, nil, fmt.Errorf("parse snapshot: %w: %d bytes, at most %d are read", ErrTooLarge, len(b), MaxSnapshotBytes)
	}

	// First the text, then which fields there are, then what they say: what one step refuses, the next could not read.
	snap, d := decodeSnapshot(b)
	if d.err != nil {
		return nil, nil, fmt.Errorf("parse snapshot: %w", d.err)
	}
	if len(d.problems) > 0 {
		return nil, nil, fmt.Errorf("parse snapshot: %w", d.problems)
	}

	rows, err := validate(snap, d.rows)
	if err != nil {
		return nil, nil, fmt.Errorf("parse snapshot: %w", err)
	}
	return snap, rows, nil
}

// decodeSnapshot reads the text, and leaves checking the values to validate.
func decodeSnapshot(b []byte) (*Snapshot, *decoder) {
	d := &decoder{scanner: *newScanner(b)}
	snap := &Snapshot{}
	object(d, snapshotSchema, snap)
	d.finish()
	return snap, d
}

// readContainers reads the rows. Problems found inside a row are charged to that row.
func readContainers(d *decoder, s *Snapshot) {
	s.Containers = []Container{}
	list(d, func() {
		ofDocument := d.problems
		d.problems = nil

		var c Container
		object(d, containerSchema, &c)
		if len(d.problems) > 0 {
			d.rows = append(d.rows, RowProblem{Index: len(s.Containers), ID: c.ID, Problems: d.problems})
		}

		// A bad row stays in its place, so that the index of a RowProblem is that of its row.
		s.Containers = append(s.Containers, c)
		d.problems = ofDocument
	})
}

func readProcesses(d *decoder, c *Container) {
	const most = 1024 // a hint must not let a hostile count reserve memory
	c.Processes = make([]Process, 0, min(c.ProcessCount, most))
	list(d, func() {
		c.Processes = append(c.Processes, Process{})
		object(d, processSchema, &c.Processes[len(c.Processes)-1])
	})
}
