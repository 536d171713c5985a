// Package lease decides which containers were left by a run that is no more. Every container names its owner in a
// label; while the owner lives nobody else touches its containers, and once it is gone they are swept at the next start.
package lease

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gestor.local/generator/internal/containers"
)

// Liveness is what is known of an owner.
type Liveness int

// An owner that cannot be inspected from here (another machine's, another PID namespace's, or none) is Unknown: its
// containers are swept when their lease has run out.
const (
	Unknown Liveness = iota
	Alive
	Dead
)

// Kinds of owner, the part of the label before the first colon. A generator in a container is known by the container's
// id; any other by boot, PID namespace, PID and start time, which no two processes share.
const (
	kindContainer = "container"
	kindProcess   = "process"
)

// Engine reports whether a container is running.
type Engine interface {
	// Running returns the full id of a running container by name or id prefix, else "".
	Running(ctx context.Context, name string) (id string, err error)
}

// Owner is the owner that this process writes into its containers' labels. proc is /proc.
func Owner(ctx context.Context, engine Engine, proc string) (owner string, err error) {
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("find own name: %w", err)
	}

	// The engine gives a container the first 12 digits of its id as host name, unless it was given another.
	if isIDPrefix(host) {
		id, err := engine.Running(ctx, host)
		if err != nil {
			return "", fmt.Errorf("find own container: %w", err)
		}
		if strings.HasPrefix(id, host) {
			return kindContainer + ":" + id, nil
		}
	}

	return processOwner(proc, os.Getpid())
}

func isIDPrefix(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789abcdef") == ""
}

// processOwner names a process of this boot and PID namespace.
func processOwner(proc string, pid int) (string, error) {
	boot, err := os.ReadFile(filepath.Join(proc, "sys/kernel/random/boot_id"))
	if err != nil {
		return "", fmt.Errorf("name process: %w", err)
	}
	namespace, err := os.Readlink(filepath.Join(proc, "self/ns/pid"))
	if err != nil {
		return "", fmt.Errorf("name process: %w", err)
	}

	// Together with the PID it names a process even after the PID was used again.
	start, err := startTime(proc, pid)
	if err != nil {
		return "", fmt.Errorf("name process: %w", err)
	}

	namespace = strings.Trim(namespace, "pid:[]")
	return fmt.Sprintf("%s:%s:%s:%d:%s", kindProcess, strings.TrimSpace(string(boot)), namespace, pid, start), nil
}

// startTime is field 22 of /proc/PID/stat (proc(5)); the fields are counted after the name, which may hold anything.
func startTime(proc string, pid int) (string, error) {
	text, err := os.ReadFile(filepath.Join(proc, fmt.Sprint(pid), "stat"))
	if err != nil {
		return "", err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 20 {
		return "", fmt.Errorf("stat of process %d has %d fields after the name", pid, len(fields))
	}
	return fields[19], nil
}

// LivenessOf checks whether an owner is alive. An error is of the engine; the answer then is Unknown.
func LivenessOf(ctx context.Context, engine Engine, proc, owner string) (Liveness, error) {
	kind, rest, _ := strings.Cut(owner, ":")
	switch kind {
	case kindContainer:
		id, err := engine.Running(ctx, rest)
		if err != nil {
			return Unknown, err
		}
		if id == rest {
			return Alive, nil
		}
		return Dead, nil

	case kindProcess:
		return livenessOfProcess(proc, owner), nil

	default:
		return Unknown, nil
	}
}

// livenessOfProcess compares an owner with the process that has its PID now.
func livenessOfProcess(proc, owner string) Liveness {
	f := strings.Split(owner, ":") // kind, boot, namespace, PID, start
	self, err := processOwner(proc, os.Getpid())
	if err != nil || len(f) != 5 {
		return Unknown
	}

	own := strings.Split(self, ":")
	if own[1] != f[1] {
		return Unknown // another boot, or another machine with the same engine: only the lease decides
	}
	if own[2] != f[2] {
		return Unknown // a PID of another namespace
	}

	// No such process, or another one that has its PID by now: the owner has ended.
	var pid int
	if _, err := fmt.Sscanf(f[3], "%d", &pid); err != nil {
		return Unknown
	}
	if start, err := startTime(proc, pid); err == nil && start == f[4] {
		return Alive
	}
	return Dead
}

// Claimant is who asks: containers of its own run and of other suites are never stale to it. Owner is empty when a person
// asks.
type Claimant struct {
	Suite, Run, Owner string
}

// Stale returns the containers that nobody drains any more. livenessOf is asked once an owner.
func Stale(found []containers.Container, claimant Claimant, livenessOf func(owner string) Liveness, now time.Time) (stale []containers.Container) {
	known := map[string]Liveness{}
	if claimant.Owner != "" { // what a person started by hand has no owner either, and its lease counts
		known[claimant.Owner] = Dead // an earlier run of this very owner has ended
	}

	for _, c := range found {
		if c.Suite != claimant.Suite || c.Run == claimant.Run {
			continue
		}

		if _, asked := known[c.Owner]; !asked {
			known[c.Owner] = livenessOf(c.Owner)
		}

		// Without an answer about the owner its lease decides; without a lease the container stays.
		expired := !c.Expires.IsZero() && now.After(c.Expires)
		if l := known[c.Owner]; l == Dead || (l == Unknown && expired) {
			stale = append(stale, c)
		}
	}
	return stale
}
