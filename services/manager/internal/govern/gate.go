package govern

import (
	"errors"
	"io/fs"
	"slices"
	"syscall"

	"gestor.local/contract"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/rules"
	"gestor.local/ship"
)

// Gates: while one of them fails the tick observes only. The names are stable: they stand in records and metrics.
const (
	GateNoSource    = "no_source"
	GateBadSnapshot = "bad_snapshot"
	GateVersion     = "unknown_version"
	GateStale       = "stale"
	GateBaseline    = "new_baseline"
	GateWarming     = "warming_up"
	GateInterval    = "interval"
	GateUnsettled   = "unsettled"
	GateBadRows     = "bad_rows"
	GateInventory   = "inventory"
	GateSuite       = "suite_unresolved"
	GateJournal     = "journal"
	GateSpool       = "spool"
	GateSpoolFull   = "spool_full"
	GateBreaker     = "breaker_open"
)

// Conditions that do not keep the manager from acting.
const (
	ConditionPolicy      = "policy_refused"
	ConditionStuck       = "stuck"
	ConditionFutile      = "futile"
	ConditionPaused      = "paused"
	ConditionEnded       = "ended"
	ConditionCrashLoop   = "crash_loop"
	ConditionRecordsWait = "records_wait"
	// ConditionManagedElsewhere has the name of the reason: what an orchestrator keeps is over the quota, and only it
	// can mend that.
	ConditionManagedElsewhere = contract.ReasonElsewhere
	// ConditionConflict lasts conflictShown after the last one: it heals by itself, but its cause does not.
	ConditionConflict = "identity_conflict"
	// ConditionNoThrottle lasts until a throttle works, or the policy has none.
	ConditionNoThrottle = "no_throttle"
	// ConditionUnlocated holds while the reading has no row of a container that runs, or another cgroup's row under its
	// id.
	ConditionUnlocated = "unlocated"

	// The following are of policies of version 2.

	// ConditionNoPolicy holds while there is no file where the policy is to be.
	ConditionNoPolicy = "no_policy"

	// ConditionUnapproved and ConditionOtherSuite have the names of what they hold back.
	ConditionUnapproved = rules.HeldUnapproved
	ConditionOtherSuite = rules.HeldOtherSuite
	// ConditionOwnGrew has the name of the guard.
	ConditionOwnGrew = rules.ReasonOwnGrew
	ConditionClock   = "clock_in_doubt"
	// ConditionDoubt holds once a rule has been possible for an hour, of anybody.
	ConditionDoubt = "doubt"
	// ConditionWarnWaits has the name of the reason: ladders wait for their notices.
	ConditionWarnWaits    = rules.ReasonWarnWaits
	ConditionThrottled    = "throttled"     // a limit could not be given back
	ConditionJournalShort = "journal_short" // there is no room for facts
)

// GateNames lists every gate.
func GateNames() []string {
	return []string{
		GateNoSource, GateBadSnapshot, GateVersion, GateStale, GateBaseline, GateWarming, GateInterval, GateUnsettled,
		GateBadRows, GateInventory, GateSuite, GateJournal, GateSpool, GateSpoolFull, GateBreaker,
	}
}

// ConditionNames lists every condition that is not a gate.
func ConditionNames() []string {
	return []string{
		ConditionPolicy, ConditionStuck, ConditionFutile, ConditionPaused, ConditionEnded, ConditionCrashLoop, ConditionRecordsWait, ConditionConflict,
		ConditionNoThrottle, ConditionManagedElsewhere, ConditionUnlocated, ConditionNoPolicy, ConditionUnapproved, ConditionOtherSuite, ConditionOwnGrew,
		ConditionClock, ConditionDoubt, ConditionWarnWaits, ConditionThrottled, ConditionJournalShort,
	}
}

// conditionText is what people read about a condition: its title, and what to do about it.
type conditionText struct{ title, next string }

func textOf(name string) conditionText {
	texts := map[string]conditionText{
		GateNoSource:              {"The host cannot be read", "load the kernel module (make insmod), or let the host be read without it: GESTOR_SOURCE=auto, with its /proc and /sys/fs/cgroup in GESTOR_PROC and GESTOR_CGROUP"},
		GateBadSnapshot:           {"The reading of the host is not a whole, valid document", "nothing is decided on a part; if it stays, reload the kernel module or set GESTOR_SOURCE=procfs"},
		GateVersion:               {"The kernel module speaks another version", "build and load the module of this release (make insmod)"},
		GateStale:                 {"The reading is not newer than the last one", "wait a tick; if it stays, reload the kernel module"},
		GateBaseline:              {"The host or its reader began again", "rates need a second reading: wait a tick"},
		GateWarming:               {"There is no second reading yet", "rates need a second reading: wait a tick"},
		GateInterval:              {"The time between two readings is far from a tick", "wait a tick; if it stays, the host was suspended or is overloaded: see the tick's lateness in /metrics"},
		GateUnsettled:             {"The reading is older than the last action", "wait a tick"},
		GateBadRows:               {"Too many rows of the reading cannot be believed", "see bad_row in the records; if it stays, set GESTOR_SOURCE=procfs"},
		GateInventory:             {"The engine does not list its containers", "check that the Docker engine runs and that GESTOR_ENGINE names its socket"},
		GateSuite:                 {"The suite's own containers cannot be told apart", "start the suite with docker compose so that its containers carry the label gestor.role, and give this manager the socket of the engine it runs on"},
		GateJournal:               {"The journal cannot be used", "check that the volume of GESTOR_STATE is writable"},
		GateSpool:                 {"The spool of records cannot be used", "check that the volume of GESTOR_STATE is writable"},
		GateSpoolFull:             {"The spool of records is full", "start the log service again (docker compose up -d logs), or make room on the volume of GESTOR_STATE"},
		GateBreaker:               {"The engine failed too often in a row", "it is tried again by itself; look at the engine's own log (journalctl -u docker)"},
		ConditionPolicy:           {"The changed policy was refused; the one before is in force", "put the file right (scripts/gestor check-policy FILE): it is taken up by itself, or at once by scripts/gestor reload; a restart with this file fails"},
		ConditionStuck:            {"Containers that cannot be removed", "remove them by hand (docker rm -f); they are judged again when they change"},
		ConditionFutile:           {"Containers that come back each time they are removed", "stop whatever starts them, or protect them in the policy"},
		ConditionPaused:           {"Owned containers have been paused for long", "docker unpause or docker rm them: paused ones hold no place and are not removed"},
		ConditionEnded:            {"Containers of ours have ended by themselves", "docker inspect NAME says why (.State.ExitCode, .State.OOMKilled); docker rm removes them: they hold no place and are not removed"},
		ConditionCrashLoop:        {"Containers of ours end and are started again, over and over", "docker logs NAME says why; docker rm -f NAME ends it: no life of it is long enough to be judged"},
		ConditionRecordsWait:      {"Records wait on disk: the log service does not take them", "see to what it answers; if it does not answer start it again (docker compose up -d logs) and see what it says (docker compose logs logs)"},
		ConditionConflict:         {"Somebody else has used the numbers of this manager's records", "see to it that no second manager runs on a copy of GESTOR_STATE and that only the suite can store records (compose.tokens.yaml); after an older copy was put back nothing is left to do"},
		ConditionManagedElsewhere: {"An orchestrator keeps more containers than the policy has places for", "tell the orchestrator, or protect them in the policy: Gestor never removes them, since another would be started"},
		ConditionUnlocated:        {"Containers of ours are not found in the reading of the host", "give the manager the socket of the engine that runs on the host it reads, and not of a rootless one; find /sys/fs/cgroup -name '*ID*' shows whether a user has named a cgroup of his own after a container: without figures none is removed"},
		ConditionNoPolicy:         {"There is no policy: no container is touched", "make govern drafts policy/host.yaml from what runs on this host, or put a policy of your own there: it is taken up by itself"},
		ConditionUnapproved:       {"The policy speaks of containers that Gestor did not make, and nobody has approved it: nothing is done", "see what it would do (scripts/gestor policy-plan), and approve it (make approve)"},
		ConditionOtherSuite:       {"Another suite's manager runs on this engine: nothing is done to containers that Gestor did not make", "stop the other suite, or let one of the two own only what it labels"},
		ConditionOwnGrew:          {"Many more containers are own than at the approval: those that came since are only warned", "look at them (scripts/gestor policy-plan), then narrow own, or approve anew (make approve)"},
		ConditionClock:            {"The host's clock is not believed: ages, ends and expiries are unknown, and rules with them wait", "it ends ten minutes after the clock is steady; see that the host's time is synchronized (timedatectl)"},
		ConditionDoubt:            {"Rules may hold of containers, and for over an hour it has not been known", "scripts/gestor explain NAME shows what is not known; a rule above decides before it, and protect or do: keep ends it"},
		ConditionWarnWaits:        {"Notices have not arrived, and what comes after them waits", "see to the log service (docker compose ps logs) and to what GESTOR_NOTIFY_URL names; without that setting nobody outside is told, and nothing waits for him"},
		ConditionThrottled:        {"CPU limits could not be given back", "it is tried again by itself; set them back with docker update, or once the manager is stopped with docker compose run --rm --no-deps -T manager release"},
		ConditionJournalShort:     {"There is no room for the facts in the journal: what is done is written, what it was decided on is not", "make room on the volume of GESTOR_STATE, or lower GESTOR_MIN_FREE"},
		ConditionNoThrottle:       {"The engine cannot throttle containers: that step is left out", "take throttle out of the policy, or use an engine that has docker update; it is tried again by itself"},
	}
	return texts[name]
}

// gateFailure is one gate that failed on this tick and why. next is what to do about it where the gate's own advice
// would not fit the cause.
type gateFailure struct{ gate, why, next string }

// storageFailure is the gate of a journal or a spool that cannot be used: what helps depends on the cause.
func storageFailure(gate string, err error) gateFailure {
	f := gateFailure{gate: gate, why: err.Error()}
	full := (*ship.FullError)(nil)

	// The cause that says most comes first: a journal that failed for good may have been moved as well.
	switch {
	case errors.As(err, &full):
		f.gate = GateSpoolFull
	case errors.Is(err, journal.ErrFailed), errors.Is(err, ship.ErrFailed):
		f.next = "the manager ends and reads what is on the disk at its next start; if it does not come back, start it again (docker compose up -d manager)"
	case errors.Is(err, journal.ErrMoved), errors.Is(err, ship.ErrMoved):
		f.next = "acting goes on by itself; see to it that nothing else deletes or replaces files below GESTOR_STATE while the manager runs"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		f.next = "make room on the volume of GESTOR_STATE"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		f.next = "let the manager's user write below GESTOR_STATE (docker compose up -d prepare gives the folder to it)"
	}
	return f
}

// failedGates lists the gates that failed in the order of GateNames, each once.
func failedGates(failures []gateFailure) []string {
	var names []string
	for _, name := range GateNames() {
		if slices.ContainsFunc(failures, func(f gateFailure) bool { return f.gate == name }) {
			names = append(names, name)
		}
	}
	return names
}

// condition words a condition: what is the matter, then the next step.
func condition(name, why string, gate bool) Condition {
	text := textOf(name)
	return Condition{Name: name, Title: text.title, Text: why + "; next: " + text.next, Gate: gate}
}

// gateCondition words a gate that failed.
func gateCondition(f gateFailure) Condition {
	return advised(condition(f.gate, f.why, true), f.why, f.next)
}

// advised words the condition with another next step, if there is one.
func advised(c Condition, why, next string) Condition {
	if next != "" {
		c.Text = why + "; next: " + next
	}
	return c
}
