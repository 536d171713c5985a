package policy2

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Steps are the steps of a rule, from gentle to harsh.
func Steps() []Step { return []Step{StepKeep, StepWarn, StepThrottle, StepStop, StepRemove} }

// ParseStep reads a step as a rule writes it: keep, warn, throttle, throttle to P%, stop or remove. The rung has no wait.
func ParseStep(text string) (Rung, error) {
	if to, ok := strings.CutPrefix(text, string(StepThrottle)+" to "); ok {
		p, err := ParsePercent(to)
		if err != nil {
			return Rung{}, err
		}

		if p == 0 { // which in a Rung means none was written
			return Rung{}, wrong("throttle to 0% is out of range", "from 1% to 10000%")
		}
		return Rung{Step: StepThrottle, To: p}, nil
	}

	if !slices.Contains(Steps(), Step(text)) {
		hint := "keep, warn, throttle, stop, remove"
		if strings.HasPrefix(text, string(StepThrottle)+" ") {
			hint = "throttle, or throttle to 50%"
		}
		return Rung{}, wrong(fmt.Sprintf("%q is not a step", text), hint)
	}
	return Rung{Step: Step(text)}, nil
}

// Participle is what a container is once the step was taken: kept, warned, throttled, stopped or removed.
func (s Step) Participle() string {
	switch s {
	case StepKeep:
		return "kept"
	case StepWarn:
		return "warned"
	case StepThrottle:
		return "throttled"
	case StepStop:
		return "stopped"
	case StepRemove:
		return "removed"
	default:
		return string(s)
	}
}

// String writes the step without its wait.
func (r Rung) String() string {
	if r.To != 0 {
		return string(r.Step) + " to " + r.To.String()
	}
	return string(r.Step)
}

// Has says whether one of the ladder's steps is this one.
func (l Ladder) Has(step Step) bool {
	return slices.ContainsFunc(l, func(r Rung) bool { return r.Step == step })
}

// Decides says whether the ladder ends the reading of the rules for those whom it holds: one that only warns or throttles
// does not.
func (l Ladder) Decides() bool { return l.Has(StepKeep) || l.Has(StepStop) || l.Has(StepRemove) }

// waiting is a step with its wait, as a document writes it.
type waiting struct {
	After Duration `json:"after"`
	Do    string   `json:"do"`
}

// MarshalJSON writes a single step bare ("remove"), several as ["warn", {"after": "1d", "do": "stop"}].
func (l Ladder) MarshalJSON() ([]byte, error) {
	out := make([]any, len(l))
	for i, rung := range l {
		out[i] = rung.String()

		// Validate refuses a first step with a wait; what is written says it all the same.
		if i > 0 || rung.After != 0 {
			out[i] = waiting{After: rung.After, Do: rung.String()}
		}
	}

	if len(l) == 1 {
		return json.Marshal(out[0])
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes, strictly.
func (l *Ladder) UnmarshalJSON(text []byte) error {
	var entries []json.RawMessage
	if step := bytes.TrimSpace(text); bytes.HasPrefix(step, []byte(`"`)) {
		entries = []json.RawMessage{step}
	} else if err := json.Unmarshal(text, &entries); err != nil {
		return err
	}

	out := make(Ladder, len(entries))
	for i, entry := range entries {
		rung, err := unmarshalRung(entry)
		if err != nil {
			return err
		}
		out[i] = rung
	}

	*l = out
	return nil
}

func unmarshalRung(text json.RawMessage) (Rung, error) {
	var step string
	if json.Unmarshal(text, &step) == nil {
		return ParseStep(step)
	}

	var entry waiting
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&entry); err != nil {
		return Rung{}, err
	}

	rung, err := ParseStep(entry.Do)
	rung.After = entry.After
	return rung, err
}
