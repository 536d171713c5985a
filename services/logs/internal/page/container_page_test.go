package page

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
)

// One word, one meaning: removed is what took the container away by Gestor's hand.
func TestOnlyWhatRemovedAContainerIsItsEnd(t *testing.T) {
	for name, c := range map[string]struct {
		action, outcome string
		want, not       string
	}{
		"removed":        {contract.ActionRemove, contract.OutcomeDone, "<dt>Removed</dt><dd>10:00:05", "not by Gestor"},
		"had stopped":    {contract.ActionRemove, contract.OutcomeAlreadyStopped, "<dt>Removed</dt><dd>10:00:05", "not by Gestor"},
		"somebody else":  {contract.ActionRemove, contract.OutcomeAlreadyGone, "not by Gestor", "Removed"},
		"only in shadow": {contract.ActionShadowRemove, contract.OutcomeDone, "<dt>Last seen</dt><dd>10:00:00", "Removed"},
		"throttled":      {contract.ActionThrottle, contract.OutcomeDone, "<dt>Last seen</dt><dd>10:00:00", "Removed"},
		"failed":         {contract.ActionRemove, contract.OutcomeFailed, "<dt>Last seen</dt><dd>10:00:00", "Removed"},
	} {
		s := newScene()
		s.addTick(containerOf("c0de", low, over, 4))
		s.wait(5 * time.Second)
		s.addAction("c0de", c.action, contract.PhaseOutcome, c.outcome)
		h, _ := serve(t, &s.memorySource)
		page := get(t, h, "/containers/c0de").Body.String()
		if !strings.Contains(page, c.want) || strings.Contains(page, c.not) {
			t.Errorf("%s: want %q and not %q", name, c.want, c.not)
		}
	}
}

func TestWhoIsNotSeenAnyMoreHasEnded(t *testing.T) {
	s := newScene()
	s.addTick(containerOf("c0de", low, stays, 1), containerOf("beef", low, stays, 2))
	s.wait(10 * time.Second)
	h, _ := serve(t, &s.memorySource)
	if page := get(t, h, "/containers/c0de").Body.String(); !strings.Contains(page, "is-alive") {
		t.Error("a container of the newest tick is not alive")
	}
	s.addBlindTick("no_source")
	if page := get(t, h, "/containers/c0de").Body.String(); !strings.Contains(page, "is-alive") {
		t.Error("it ended because nobody looked")
	}
	s.wait(10 * time.Second)
	s.addTick(containerOf("beef", low, stays, 1))
	if page := get(t, h, "/containers/c0de").Body.String(); !strings.Contains(page, "is-ended") || !strings.Contains(page, "not by Gestor") {
		t.Error("it is gone, and its page says that it lives")
	}
}

// What the page calls the most is the most of its chart: a reading without an interval has no CPU.
func TestTheMostIsThatOfTheChart(t *testing.T) {
	s := newScene()
	first := containerOf("c0de", low, young, 0)
	first.CPUMillicores, first.RAMKB = 27, 900_000
	s.addTick(first)
	s.wait(10 * time.Second)
	second := containerOf("c0de", low, stays, 1)
	second.CPUMillicores = 4
	s.addTick(second)
	h, _ := serve(t, &s.memorySource)
	page := get(t, h, "/containers/c0de").Body.String()
	for _, want := range []string{"<dt>Most CPU</dt><dd>0.40 %", "<dt>Most RAM</dt><dd>1000 KiB", "1 <small>and 1 without a figure"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// The page of a container names the command that explains all of it, and a name in its address is answered with where names are
// found.
func TestTheContainersPageNamesWhatTellsMore(t *testing.T) {
	s := newScene()
	s.addTick(containerOf("c0de", low, stays, 1))
	h, _ := serve(t, &s.memorySource)
	if page := get(t, h, "/containers/c0de").Body.String(); !strings.Contains(page, "scripts/gestor explain c0de") {
		t.Error("the page does not name explain")
	}
	if w := ask(t, h, http.MethodGet, "/containers/low-c0de"); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "/v1/decisions?q=NAME") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestATickThatCameLateIsNotTheLastOfAContainer(t *testing.T) {
	at := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	record := func(tick, cpu uint64) contract.Record {
		body := contract.ContainerBody{
			Subject: contract.Subject{Container: "abcd"}, Measured: true, Measures: contract.Measures{CPUMillicores: cpu}, AgeUS: tick * 10_000_000,
		}
		return contract.NewRecord(at.Add(time.Duration(tick)*10*time.Second), tick, contract.SourceModule, body)
	}

	var p containerPage
	for _, r := range []contract.Record{record(1, 5), record(3, 7), record(2, 9)} {
		p.addRecord(r)
	}
	if p.Tick != 3 || p.Last.CPUMillicores != 7 || !p.Seen.Equal(at.Add(30*time.Second)) {
		t.Errorf("tick %d with %d at %s, want the third", p.Tick, p.Last.CPUMillicores, p.Seen)
	}
	if p.Samples != 3 || p.Peak.CPUMillicores != 9 || !p.Born.Equal(at) {
		t.Errorf("%d samples, peak %d, born %s", p.Samples, p.Peak.CPUMillicores, p.Born)
	}
}
