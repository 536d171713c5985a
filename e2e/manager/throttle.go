package manager

import (
	"errors"
	"strings"
	"time"

	"gestor.local/e2e/scenario"
)

// throttlePolicy slows down who uses a tenth of a core for 10 s: on a busy host nobody gets much more.
const throttlePolicy = `version: 2
tick: 1s
rules:
  - {name: hogs, when: {cpu: 10%, for: 10s}, do: throttle to 5%, calm: 1m}
`

// noRule is a policy under which nothing is done.
const noRule = "version: 2\ntick: 1s\n"

// throttledTo is what throttlePolicy leaves, in thousandths of a core.
const throttledTo = 50

// ThrottleEndsWithItsReason has a throttled container stop using the CPU: its limit is given back once it has been calm for as long
// as the rule says, and not before.
func ThrottleEndsWithItsReason(h *scenario.Suite) {
	h.Helper()
	w := newSuiteHost(h)
	w.start("busy", guest{busy: true})
	w.start("other", guest{limited: true})
	before := w.states()

	p := h.StartManager("", h.NewPolicyFolder(throttlePolicy).Setting)
	w.awaitThrottled()
	p.WaitTicks(5)
	if now := w.cpuLimit("busy"); now != throttledTo {
		h.Fatalf("it uses all that the throttle leaves it, and its limit is %d", now)
	}

	// The tick that saw it busy for the last time may have been some before: its share of a tick is told in few steps.
	calm := time.Now()
	if err := h.Engine.Client.ContainerKill(h.Context(), w.ids["busy"], "USR1"); err != nil {
		h.Fatal(err)
	}
	w.awaitLimit("the limit is given back", "busy", limitOfBusy)
	if waited := time.Since(calm); waited < 50*time.Second {
		h.Errorf("given back %s after its work ended, want about a minute", waited)
	}
	p.Stop()
	w.unchanged("in the end", before)
}

// ThrottleAcrossRuns ends the manager while a container is throttled. Stopped, it gives the limit back; killed, it cannot, and the next
// one does, unless the rule is still there and holds.
func ThrottleAcrossRuns(h *scenario.Suite) {
	h.Helper()
	w := newSuiteHost(h)
	w.start("busy", guest{busy: true})
	before := w.states()
	folder := h.NewPolicyFolder(throttlePolicy)
	start := func() *scenario.Manager { return h.StartManager("", folder.Setting) }

	first := start()
	w.awaitThrottled()
	first.Kill()

	second := start()
	second.WaitTicks(4)
	if now := w.cpuLimit("busy"); now != throttledTo {
		h.Errorf("after a kill, and with the rule still there, the limit is %d, want %d", now, throttledTo)
	}
	second.Stop()
	if now := w.cpuLimit("busy"); now != limitOfBusy {
		h.Errorf("after a stop the limit is %d, want %d", now, limitOfBusy)
	}

	third := start()
	w.awaitThrottled()
	third.Kill()
	folder.Write(noRule)
	fourth := start()
	w.awaitLimit("the limit is given back where there is no such rule any more", "busy", limitOfBusy)
	fourth.Stop()
	w.unchanged("in the end", before)
}

// ThrottleIsNotThere has a rule throttle on an engine that changes no limits: nothing is set, nothing is owed, and the condition says so.
func ThrottleIsNotThere(h *scenario.Suite) {
	h.Helper()
	w := newSuiteHost(h)
	w.start("busy", guest{busy: true})
	before := w.states()
	if w.canLimit("busy") {
		h.Fatal("the engine has an update now: strike it from what it is known to lack")
	}

	p := h.StartManager("", h.NewPolicyFolder(throttlePolicy).Setting)
	scenario.Eventually(h.TB, scenario.Soon, "the condition no_throttle begins", func() error {
		if !strings.Contains(p.Output(), "The engine cannot throttle containers") {
			return errors.New("not yet")
		}
		return nil
	})
	p.WaitTicks(3)
	p.Stop()
	w.unchanged("in the end", before)
}
