package replay

import (
	"encoding/json"
	"fmt"

	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/journal/line"
	"gestor.local/manager/internal/rules"
)

// replayer is a report that goes on.
type replayer struct {
	Report
	last     uint64                    // number of the last line
	programs map[string]*rules.Program // of version 1, by the policy's hash
	said     line.Rows
	// elsewhere says that ticks of version 1 stand behind the last facts: the memory of the rules is then not what those come to.
	elsewhere bool
}

func (r *replayer) add(e journal.Entry, h *journal.History) error {
	r.checkSeq(e.Seq)
	r.notePolicy(e.Policy)

	switch {
	case e.Tick != nil:
		r.elsewhere = true
		return r.tick(e.Tick)

	case e.V != line.Version:
		return nil

	case e.Head != nil:
		r.said = line.Rows{}
		r.notePolicy(e.Head.Policy)
		return r.head(e, h)
	case e.Verdict != nil:
		return r.verdict(e, h)
	default:
		return nil
	}
}

// head compares the memory of a head with what the lines before it come to, where they do.
func (r *replayer) head(e journal.Entry, h *journal.History) error {
	if e.Head.Missed > 0 {
		r.Gaps++
	}

	made, elsewhere := h.Made(), r.elsewhere
	r.elsewhere = false
	if made == nil || elsewhere || r.last <= 1 {
		return nil
	}

	recorded, err := json.Marshal(h.Memory())
	if err != nil {
		return err
	}

	again, err := json.Marshal(made)
	if err != nil {
		return err
	}

	if string(recorded) != string(again) {
		r.Heads++
		r.Different = append(r.Different, Difference{
			Tick: e.Head.LastTick, What: fmt.Sprintf("the memory of the rules at line %d is another than the lines before it come to", e.Seq), Recorded: recorded, Replayed: again,
		})
	}

	return nil
}

func (r *replayer) verdict(e journal.Entry, h *journal.History) error {
	v, err := journal.VerdictOf(e)
	if err != nil {
		return err
	}

	r.said.Add(&v)

	switch {
	case !h.Whole() || h.Program() == nil || h.Facts().Tick != v.Tick:
		r.Unread++
		return nil
	case h.Program().Hash() != v.PolicyHash:
		r.NoPolicy++
		return nil
	}

	r.Ticks++
	plan := h.Plan()
	if line.IsHashOf(v.Hash, plan) {
		r.Same++
		return nil
	}

	again, err := json.Marshal(plan)
	if err != nil {
		return err
	}

	r.Different = append(r.Different, Difference{
		Tick: v.Tick, Sequence: plan.Sequence, What: r.difference(h, plan), Replayed: again,
	})
	return nil
}

// difference names the first container whose verdict is another than the journal says.
func (r *replayer) difference(h *journal.History, plan *rules.Plan) string {
	what := "a figure, a rank or a count"
	for i := range plan.Verdicts {
		v := &plan.Verdicts[i]
		row, ok := r.said[h.Number(v.ID)]
		was, is := described(row.Step, row.Reason, row.Standing, row.Rule, row.Index, row.Guard, plan), describedVerdict(v, plan)
		if !ok || was == is {
			continue
		}
		what = fmt.Sprintf("%.12s was %s, now it is %s", v.ID, was, is)
		break
	}

	if h.Lost() > 0 {
		what += " (a line before it is missing)"
	}

	return what
}

func describedVerdict(v *rules.Verdict, plan *rules.Plan) string {
	standing, rule := v.Standing, &v.Rule
	if standing == rules.StandingReady {
		standing = ""
	}
	if v.Rule < 0 {
		rule = nil
	}
	return described(v.Step, v.Reason, standing, rule, v.StepIndex, v.Guard, plan)
}

// described is a verdict in words: stop (holds), step 2 of rule stale, needed.
func described[S ~string](step S, reason, standing string, rule *int, index int, guard string, plan *rules.Plan) string {
	text := fmt.Sprintf("%s (%s)", step, reason)
	if rule != nil && *rule >= 0 && *rule < len(plan.Rules) {
		text += fmt.Sprintf(", step %d of rule %s", index, plan.Rules[*rule].Name)
	}

	for _, more := range []string{standing, guard} {
		if more != "" {
			text += ", " + more
		}
	}

	return text
}
