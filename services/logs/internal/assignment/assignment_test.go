package assignment

import (
	"testing"
	"time"

	"gestor.local/contract"
)

func TestRecordsAreOfGovernedContainers(t *testing.T) {
	for _, action := range []string{"kept", "Killed"} {
		records := Process{ContainerID: "abcd", Name: "n", Action: action}.Records(time.Unix(1, 0))
		body, ok := records[0].Body.(contract.ContainerBody)
		if !ok || !body.Owned || !body.Measured {
			t.Errorf("%s: %+v", action, records[0].Body)
		}
		if removed := len(records) == 2; removed != (action == "Killed") {
			t.Errorf("%s: %d records", action, len(records))
		}
	}
}

// What did not happen is not exported as an action.
func TestOnlyWhatHappenedIsAnAction(t *testing.T) {
	action := func(action, outcome string) contract.Body {
		return contract.ActionBody{Action: action, Phase: contract.PhaseOutcome, Outcome: outcome}
	}
	for name, c := range map[string]struct {
		body     contract.Body
		producer string
		want     string // "none": no element
	}{
		"done":         {body: action(contract.ActionRemove, contract.OutcomeDone), want: "remove"},
		"had stopped":  {body: action(contract.ActionRemove, contract.OutcomeAlreadyStopped), want: "remove"},
		"refused":      {body: action(contract.ActionRemove, contract.OutcomeRefused), want: "none"},
		"failed":       {body: action(contract.ActionRemove, contract.OutcomeFailed), want: "none"},
		"unknown":      {body: action(contract.ActionRemove, contract.OutcomeUnknown), want: "none"},
		"already gone": {body: action(contract.ActionRemove, contract.OutcomeAlreadyGone), want: "none"},
		"shadow":       {body: action(contract.ActionShadowRemove, contract.OutcomeDone), want: "none"},
		"throttled":    {body: action(contract.ActionThrottle, contract.OutcomeDone), want: "none"},
		"freed":        {body: action(contract.ActionUnthrottle, contract.OutcomeDone), want: "none"},
		"intent":       {body: contract.ActionBody{Action: contract.ActionRemove, Phase: contract.PhaseIntent}, want: "none"},
		"kept":         {body: contract.ContainerBody{Verdict: contract.VerdictKeep}, want: "keep"},
		"planned":      {body: contract.ContainerBody{Verdict: contract.VerdictRemove}, want: ""},
		"as it came":   {body: contract.ContainerBody{Verdict: contract.VerdictRemove}, producer: Producer, want: "remove"},
	} {
		t.Run(name, func(t *testing.T) {
			r := contract.NewRecord(time.Unix(1, 0), 0, "", c.body)
			r.Producer = c.producer
			p, ok := FromRecord(r)
			if !ok {
				p.Action = "none"
			}
			if p.Action != c.want {
				t.Errorf("action %q, want %q", p.Action, c.want)
			}
		})
	}
}
