package page

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
)

// The policy in force has one line: which one, in which mode, how many are own, what is held and why, and the command that helps where
// one does. Of a past moment it says no more than what was in force.
func TestThePolicyHasOneLine(t *testing.T) {
	for name, c := range map[string]struct {
		play func(s *scene)
		line policyLine
	}{
		"nothing is known": {func(*scene) {}, policyLine{}},
		"version 1":        {func(s *scene) { s.addTick(full()...) }, policyLine{}},
		"carried out": {
			func(s *scene) { s.addRuledTick(ruledOf("a", "keep"), ruledOf("b", "stop")) },
			policyLine{Text: "Policy 0123456789abcdef, mode enforce, 2 own containers. Nothing of its plan is held."},
		},
		"unapproved": {
			func(s *scene) {
				s.heldReason = "unapproved"
				s.addRuledTick(ruledOf("a", "keep"), ruledOf("b", "warn"), ruledOf("c", "stop"), ruledOf("d", "remove"), ruledOf("e", "stop"))
			},
			policyLine{
				Text:    "Policy 0123456789abcdef, mode enforce, 5 own containers. Held (unapproved): 1 to remove, 2 to stop, 1 to warn of those that run.",
				Command: "make approve",
			},
		},
		"observed, and nobody is own": {
			func(s *scene) {
				s.mode, s.heldReason = contract.ModeObserve, contract.HeldObserve
				s.addRuledTick()
			},
			policyLine{Text: "Policy 0123456789abcdef, mode observe, 0 own containers. Held (observe): nothing is due for those that run."},
		},
		"a gate is closed": {
			func(s *scene) {
				s.gates = []string{"journal"}
				s.addRuledTick(ruledOf("a", "remove"))
			},
			policyLine{Text: "Policy 0123456789abcdef, mode enforce, 1 own container. Held (journal): 1 to remove of those that run."},
		},
		"a record of before the mode": {
			func(s *scene) {
				s.mode, s.heldReason = "", "unapproved"
				s.addRuledTick(ruledOf("a", "remove"))
			},
			policyLine{Text: "Policy 0123456789abcdef, 1 own container. Held (unapproved): 1 to remove of those that run.", Command: "make approve"},
		},
		"no news": {
			func(s *scene) {
				s.heldReason = "unapproved"
				s.addRuledTick(ruledOf("a", "remove"))
				s.wait(10 * time.Minute)
			},
			policyLine{Text: "Policy 0123456789abcdef, mode enforce, 1 own container, as of " + epoch().UTC().Format(time.TimeOnly) + "."},
		},
		"the manager has stopped": {
			func(s *scene) {
				s.heldReason = "unapproved"
				s.addRuledTick(ruledOf("a", "remove"))
				s.addEvent(contract.ProducerManager, "stop", contract.LevelInfo, "the manager stops")
			},
			policyLine{Text: "Policy 0123456789abcdef, mode enforce, 1 own container, as of " + epoch().UTC().Format(time.TimeOnly) + "."},
		},
		"the containers are not seen": {
			func(s *scene) {
				s.addRuledTick(ruledOf("a", "remove"))
				s.wait(10 * time.Second)
				s.addBlindTick("no_source")
			},
			policyLine{},
		},
	} {
		s := newScene()
		c.play(s)
		if got := read(t, s).Policy; got != c.line {
			t.Errorf("%s:\n%+v, want\n%+v", name, got, c.line)
		}
	}
}

// The line stands on the page, with the command as something to type; the mode is said once.
func TestThePolicysLineStandsOnThePage(t *testing.T) {
	assets, err := LoadAssets()
	if err != nil {
		t.Fatal(err)
	}
	s := newScene()
	s.heldReason = "unapproved"
	s.addRuledTick(ruledOf("a", "remove"))
	var html bytes.Buffer
	if err := assets.templates.ExecuteTemplate(&html, "now.html", read(t, s)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`<p class="policy">Policy 0123456789abcdef, mode enforce, 1 own container.`, `Next: <code>make approve</code></p>`} {
		if !strings.Contains(html.String(), want) {
			t.Errorf("%s is missing in\n%s", want, html.String()[:min(2000, html.Len())])
		}
	}
	if n := strings.Count(html.String(), "mode enforce"); n != 1 {
		t.Errorf("the mode is said %d times", n)
	}
}
