package manager

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gestor.local/e2e/scenario"
)

// duePolicy stops or removes at once what has one of its labels with a short time in it.
const duePolicy = `version: 2
tick: 1s
surprise: 100%
act: {grace: 1s}
rules:
  - {name: projects, match: {label: foreign.project}, each: project, when: {expired: foreign.project}, do: stop}
  - {name: stop only, when: {expired: foreign.stop}, do: stop}
  - {name: expired, when: {expired: foreign.ttl}, do: remove, volumes: anonymous}
`

// StopTakesTheContainersOwnTime has containers that need longer to stop than the policy's grace: they get the time that they have
// themselves, and who needs more than that is killed.
func StopTakesTheContainersOwnTime(h *scenario.Suite) {
	h.Helper()
	w := newSuiteHost(h)
	due := map[string]string{"foreign.stop": "1s"}
	w.start("engine-default", guest{labels: due, slow: 3 * time.Second})
	w.start("own-time", guest{labels: due, slow: 3 * time.Second, edit: stopTimeout(20)})
	w.start("ignores-it", guest{labels: due, slow: time.Hour, edit: stopTimeout(2)})
	w.start("stays", guest{})
	stays := w.states("stays")

	p := h.StartManager("", h.NewPolicyFolder(duePolicy).Setting)
	for name, exitCode := range map[string]int{"engine-default": 0, "own-time": 0, "ignores-it": 137} {
		w.awaitExited(name)
		if c, ok := w.inspect(name); !ok || c.State.ExitCode != exitCode {
			h.Errorf("%s ended with code %d, want %d", name, c.State.ExitCode, exitCode)
		}
	}

	// Whom a rule has stopped has not ended by himself: nobody is to be alarmed.
	p.WaitTicks(2)
	if strings.Contains(p.Output(), "have ended by themselves") {
		h.Error("the manager says that containers which it has stopped have ended by themselves")
	}
	p.Stop()
	w.unchanged("in the end", stays)
}

// RemoveTakesTheAnonymousVolumes has containers with volumes removed by a rule with volumes: anonymous: exactly those without a name
// go with them.
func RemoveTakesTheAnonymousVolumes(h *scenario.Suite) {
	h.Helper()
	w := newSuiteHost(h)
	due := map[string]string{"foreign.ttl": "1s"}
	w.start("several", guest{labels: due, edit: w.withVolumes("database", "", "")})
	w.start("rm", guest{labels: due, edit: edits(deletedAtItsEnd, w.withVolumes("", "cache"))})
	w.start("stays", guest{edit: w.withVolumes("")})
	w.start("stranger", guest{labels: due, stranger: true, edit: w.withVolumes("")})
	volumes, stay := w.volumesOfAll(), w.states("stays", "stranger")
	named := []string{h.FullName("database"), h.FullName("cache")}

	p := h.StartManager("", h.NewPolicyFolder(duePolicy).Setting)
	w.awaitGone("several", "rm")
	p.Stop()
	w.unchanged("in the end", stay)

	for name, all := range volumes {
		_, stays := stay[name]
		for _, volume := range all {
			if want := stays || slices.Contains(named, volume); w.hasVolume(volume) != want {
				h.Errorf("the volume %s of %s is there: %t, want %t", volume, name, !want, want)
			}
		}
	}
}

// DependantsFirst has a compose project stopped: each service only once those that depend on it have ended, and they take their time.
func DependantsFirst(h *scenario.Suite) {
	h.Helper()
	w := newSuiteHost(h)
	due := map[string]string{"foreign.project": "1s"}
	w.start("db", guest{labels: composed(h.Name, "db", "", due)})
	w.start("api", guest{labels: composed(h.Name, "api", "db", due), slow: 2 * time.Second})
	w.start("web", guest{labels: composed(h.Name, "web", "api", due), slow: 2 * time.Second})
	w.start("other", guest{labels: composed(h.Name+"-other", "db", "", nil)})
	stays := w.states("other")

	p := h.StartManager("", h.NewPolicyFolder(duePolicy).Setting)
	var before time.Time
	for _, name := range []string{"web", "api", "db"} {
		w.awaitExited(name)
		ended, err := w.endOf(name)
		if err != nil || !ended.After(before) {
			h.Errorf("%s ended at %s, and who depends on it at %s: %v", name, ended, before, err)
		}
		before = ended
	}
	p.Stop()
	w.unchanged("in the end", stays)
}

// endOf is when a container ended.
func (w *host) endOf(name string) (time.Time, error) {
	w.Helper()
	c, ok := w.inspect(name)
	if !ok {
		return time.Time{}, fmt.Errorf("%s is gone", name)
	}
	return time.Parse(time.RFC3339Nano, c.State.FinishedAt)
}
