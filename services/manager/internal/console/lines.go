package console

import (
	"github.com/rs/zerolog"

	"gestor.local/contract"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/planview"
)

// Lines is a govern.Sink that logs one line a tick and one an action: what is read by machines and by docker logs.
type Lines struct{ log zerolog.Logger }

// NewLines makes a sink that logs.
func NewLines(log zerolog.Logger) *Lines { return &Lines{log: log} }

// OnTick logs the tick.
func (l *Lines) OnTick(r *govern.Report) {
	line := l.log.Info().Uint64("tick", r.Tick).Str("mode", string(r.Mode)).Str("source", r.Source)
	if r.Population != nil {
		line = line.Int("containers", len(r.Population.Members)).Uint64("available_kb", r.Population.Memory.AvailableKB)
	}

	for _, c := range r.Classes {
		if c.Class != contract.ClassUnknown || c.Owned > 0 {
			line = line.Int(string(c.Class), c.Owned).Int(string(c.Class)+"_removals", c.Removals)
		}
	}

	if r.Rules != nil {
		line = line.Int("own", r.Rules.Plan.Own).Str("held", r.Held)
		prefix := "due_"
		if r.Held != "" {
			prefix = "would_"
		}
		for step, n := range planview.Due(&r.Rules.Plan) {
			line = line.Int(prefix+string(step), n)
		}
	}

	if len(r.Gates) > 0 {
		line = line.Strs("gates", r.Gates)
	}
	if r.Skipped > 0 {
		line = line.Uint64("skipped", r.Skipped)
	}

	line.Int("in_flight", r.InFlight).Msg("tick")
}

// OnPolicy logs nothing: the loop has logged the event.
func (l *Lines) OnPolicy(contract.Policy) {}

// OnAction logs the end of an action.
func (l *Lines) OnAction(a govern.ActionResult) {
	line := l.log.Info()

	// What failed is a warning; what was refused is the precondition's doing, and no fault.
	switch a.Outcome {
	case contract.OutcomeFailed, contract.OutcomeUnknown:
		line = l.log.Warn().Err(a.Err)
	case contract.OutcomeRefused:
		line = line.Str("why", a.ErrorText())
	}

	v := a.Order.Victim
	line.Str("action", a.Verb).Str("outcome", a.Outcome).Str("container", v.ID).Str("name", v.Name).Str("class", string(v.Class)).
		Str("reason", v.Reason).Int("rank", v.Rank).Int("cut", v.Cut).Dur("took_ms", a.Took).Msg("action")
}
