package main

import (
	"fmt"
	"strings"
)

// checkForged: users who were given groups make others in them that are named like somebody's container, before and
// after the container's own in the table of processes. The victims' rows stay as they were, and nothing is added.
func checkForged(m *machine) error {
	systemd, cgroupfs, custom := containerID("victim 1"), containerID("victim 2"), containerID("victim 3")
	victims := map[string]string{
		systemd:  dockerPath(systemd),
		cgroupfs: "/docker/" + cgroupfs,
		custom:   "/ci/" + custom,
	}
	var forged []string
	for id := range victims {
		forged = append(forged,
			"/user.slice/user-1000.slice/user@1000.service/app.slice/docker-"+id+".scope",
			"/system.slice/mine.service/docker/"+id,
			"/alice/"+id,
			"/alice/deep/docker-"+id+".scope",
		)
	}
	forged = append(forged, "/user.slice/user-1000.slice/user@1000.service/docker-"+containerID("nobody's")+".scope")

	// The first forger's processes come before the victim's, the second one's after them. A forger can know an id only
	// when the engine has drawn it, so the victim's group is older than those on its own level.
	for _, path := range victims {
		if err := m.makeCgroup(path); err != nil {
			return err
		}
	}
	if err := m.startEach(forged); err != nil {
		return err
	}
	pids := map[string]int{}
	for id, path := range victims {
		victim, err := m.start(path, "sleep")
		if err != nil {
			return err
		}
		pids[id] = victim.pid
	}
	if err := m.startEach(forged); err != nil {
		return err
	}

	// The second walk builds on what the first found.
	if err := load("max_age_ms=0"); err != nil {
		return err
	}

	for range 2 {
		if err := expectOnly(pids); err != nil {
			return err
		}
	}
	return nil
}

func (m *machine) startEach(paths []string) error {
	for _, path := range paths {
		if _, err := m.start(path, "sleep"); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// expectOnly reads a document that must have these containers, each with its one process, and no other.
func expectOnly(pids map[string]int) error {
	snap, err := snapshot()
	if err != nil {
		return err
	}
	var wrong []string
	for id, pid := range pids {
		row, err := find(snap, id)
		switch {
		case err != nil:
			wrong = append(wrong, err.Error())
		case len(row.Processes) != 1 || row.ProcessCount != 1 || row.Processes[0].PID != pid:
			wrong = append(wrong, fmt.Sprintf("%.12s has %d processes, the first is %d, want only %d", id,
				row.ProcessCount, row.Processes[0].PID, pid))
		}
	}
	if snap.ContainerTotal != len(pids) || snap.ProcessTotal != len(pids) {
		wrong = append(wrong, fmt.Sprintf("%d containers with %d processes, want %d", snap.ContainerTotal,
			snap.ProcessTotal, len(pids)))
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s", strings.Join(wrong, "; "))
	}
	return nil
}
