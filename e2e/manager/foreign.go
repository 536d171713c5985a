package manager

import (
	"fmt"

	"github.com/docker/docker/api/types/container"

	"gestor.local/e2e/scenario"
)

// foreignPolicy owns what has the label of one suite. Whatever has a label of its rules with a short time in it is due at once; the
// warm-up is long, so that a container that comes later is young for a while.
const foreignPolicy = `version: 2
tick: 1s
warmup: 12
own: [{label: foreign.own=%[1]s}]
protect: [{image: redis*}]
surprise: 90%%
rules:
  - {name: hogs, match: {label: foreign.busy}, when: {cpu: 10%%, for: 10s}, do: throttle to 5%%}
  - {name: tell, match: {label: foreign.tell}, do: warn}
  - {name: projects, match: {label: foreign.project}, each: project, when: {expired: foreign.project}, do: remove}
  - {name: expired, when: {expired: foreign.ttl}, do: remove}
  - {name: stop only, when: {expired: foreign.stop}, do: stop}
  - {name: renamed, match: {name: "*-doomed"}, do: remove}
  - {name: weekend, when: {ended: 1d}, do: remove, volumes: anonymous}
`

// everything is a rule that removes all that is own.
const everything = "  - {name: everything, do: remove, volumes: anonymous}\n"

// ForeignHost has a manager on a host of containers that it did not start. Without an approval nothing is touched and nobody outside is
// told; with one the due go, and nobody else; without it again, or with another policy than the approved one, nothing is touched.
func ForeignHost(h *scenario.Suite) {
	h.Helper()
	w := newHost(h)
	limits := startForeign(w)
	before := w.states()
	kept := w.volumesOfAll()

	policy := fmt.Sprintf(foreignPolicy, h.Name)
	folder, receiver := h.NewPolicyFolder(policy), h.NewReceiver()
	_, logs := h.StartLogs()
	p := h.StartManager("", folder.Setting, receiver.Setting, logs, "GESTOR_LOGS_WAIT=30s")

	// The plan that is approved takes as many readings as the warm-up asks for, and the manager itself has made as many by then.
	document := p.Document(folder)
	p.WaitTicks(2)
	w.unchanged("without an approval", before)
	if told := receiver.Texts(); len(told) > 0 {
		h.Errorf("without an approval somebody was told: %q", told)
	}

	due := []string{"due", "due-volume", "due-anonymous", "twin-web", "twin-db"}
	survivors := survivorsOf(w, append(due, "stop-only", "busy")...)
	w.start("young-db", guest{labels: composed("young", "db", "", map[string]string{"foreign.project": "1s"})})
	survivors["young-db"] = w.state("young-db")
	folder.Approve(document)

	w.awaitGone(due...)
	w.unchanged("with the approval", survivors)
	w.awaitExited("stop-only")
	if limits {
		w.awaitThrottled()
	}
	scenario.Eventually(h.TB, scenario.Soon, "somebody is told", func() error {
		if lines := receiver.Lines("tell", "(rule tell"); len(lines) != 1 {
			return fmt.Errorf("%q", receiver.Texts())
		}
		return nil
	})

	folder.TakeBack()
	if limits {
		w.awaitLimit("the limit is given back without the approval", "busy", limitOfBusy)
	}
	p.WaitTicks(1) // what was being done has been done
	if err := h.Engine.Client.ContainerRename(h.Context(), w.ids["waits"], h.FullName("doomed")); err != nil {
		h.Fatal(err)
	}
	now := w.states()
	p.WaitTicks(4)
	w.unchanged("with the approval taken back", now)

	folder.Write(policy + everything)
	folder.Approve(document)
	p.WaitTicks(4)
	w.unchanged("under a changed policy that nobody has approved", now)

	// What was due all the while goes as soon as the approved policy is in force.
	folder.Write(policy)
	w.awaitGone("waits")
	delete(survivors, "waits")
	delete(survivors, "young-web") // is young no more, and due
	delete(survivors, "young-db")
	w.unchanged("in the end", survivors)
	for name, volumes := range kept {
		for _, volume := range volumes {
			if !w.hasVolume(volume) {
				h.Errorf("the volume %s of %s is gone", volume, name)
			}
		}
	}
	p.Stop()
	if lines := receiver.Lines("due-volume", "expired"); len(lines) > 1 {
		h.Errorf("what was done was told more than once: %q", lines)
	}
}

// startForeign starts what is on the host. It reports whether the engine can change limits.
func startForeign(w *host) (limits bool) {
	ttl := map[string]string{"foreign.ttl": "1s"}
	project := map[string]string{"foreign.project": "1s"}

	// These are to go, or to be slowed down.
	w.start("due", guest{labels: ttl})
	w.start("due-volume", guest{labels: ttl, edit: w.withVolumes("named")})
	w.start("due-anonymous", guest{labels: ttl, edit: w.withVolumes("")})
	w.start("stop-only", guest{labels: map[string]string{"foreign.stop": "1s"}})
	w.start("twin-db", guest{labels: composed("twin", "db", "", project)})
	w.start("twin-web", guest{labels: composed("twin", "web", "db", project)})
	w.start("busy", guest{labels: map[string]string{"foreign.busy": "x"}, busy: true})
	limits = w.canLimit("due")

	// These stay, whatever is approved.
	redis := "bitnami/redis:7"
	if err := w.Engine.Client.ImageTag(w.Context(), w.Image, redis); err != nil {
		w.Fatal(err)
	}
	w.start("redis", guest{labels: ttl, image: redis, edit: w.withVolumes("redis")})
	w.start("stranger", guest{labels: ttl, stranger: true, edit: w.withVolumes("stranger")})
	w.start("rm-anonymous", guest{labels: ttl, edit: edits(deletedAtItsEnd, w.withVolumes(""))})
	w.start("rm", guest{labels: map[string]string{"foreign.stop": "1s"}, edit: deletedAtItsEnd})
	w.start("half-db", guest{labels: composed("half", "db", "", project), stranger: true, edit: w.withVolumes("half")})
	w.start("half-web", guest{labels: composed("half", "web", "db", project)})
	w.start("young-web", guest{labels: composed("young", "web", "db", project)})
	w.start("tell", guest{labels: map[string]string{"foreign.tell": "x"}})
	w.start("waits", guest{})
	ended := w.start("ended", guest{edit: w.withVolumes("database", "")})
	if err := w.Engine.Client.ContainerStop(w.Context(), ended, container.StopOptions{}); err != nil {
		w.Fatal(err)
	}
	w.awaitExited("ended")
	return limits
}

// canLimit says whether the engine changes the limit of a container, to that which it has.
func (w *host) canLimit(name string) bool {
	w.Helper()
	_, err := w.Engine.Client.ContainerUpdate(w.Context(), w.ids[name], container.UpdateConfig{
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled},
	})
	if err != nil {
		w.Logf("this engine changes no limits: %v", err)
	}
	return err == nil
}

// survivorsOf are the states of all but the named.
func survivorsOf(w *host, but ...string) map[string]string {
	w.Helper()
	states := w.states()
	for _, name := range but {
		delete(states, name)
	}
	return states
}

// volumesOfAll are the volumes of each container that has one.
func (w *host) volumesOfAll() map[string][]string {
	w.Helper()
	all := map[string][]string{}
	for _, name := range w.all {
		if volumes := w.volumesOf(name); len(volumes) > 0 {
			all[name] = volumes
		}
	}
	return all
}
