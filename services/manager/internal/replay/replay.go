// Package replay makes recorded decisions again and compares them with what was written down: those of version 1 byte for byte, of
// those of version 2 the hashes of the plans.
package replay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"gestor.local/contract"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/journal/line"
	"gestor.local/manager/internal/rules"
)

// Report is the result of a replay.
type Report struct {
	Ticks     int          `json:"ticks"` // decisions that were made again
	Same      int          `json:"same"`
	Different []Difference `json:"different"`
	// NoPolicy counts ticks whose policy is no longer in the journal.
	NoPolicy int `json:"no_policy"`
	BadLines int `json:"bad_lines"`
	// Missing counts the numbers that no line bears, from the first line to the last; damaged lines are among them.
	Missing uint64 `json:"missing"`
	// Repeated counts the lines whose number is not above that of the line before: they belong to another journal.
	Repeated uint64 `json:"repeated"`
	// Unread counts the plans of version 2 of which the facts cannot be had, since a line before them is missing; Gaps the runs of
	// ticks that were not written; Heads those whose memory is another than the lines before them come to, which are among Different.
	Unread int `json:"unread,omitempty"`
	Gaps   int `json:"gaps,omitempty"`
	Heads  int `json:"heads,omitempty"`
}

// Complete says that no line is missing between the first and the last, and none is too many.
func (r Report) Complete() bool {
	return r.Missing == 0 && r.Repeated == 0 && r.BadLines == 0 && r.Unread == 0
}

// ErrNoDecisions says that the journal holds no decision that could be made again.
var ErrNoDecisions = errors.New("there is nothing to replay")

// Difference is a plan that came out otherwise. Of version 2 the journal has the plan's hash alone: Recorded is null.
type Difference struct {
	Tick     uint64 `json:"tick"`
	Sequence uint64 `json:"sequence"`
	// What names the first difference; Recorded and Replayed are both plans.
	What     string          `json:"what"`
	Recorded json.RawMessage `json:"recorded"`
	Replayed json.RawMessage `json:"replayed"`
}

// Run replays the journal at path: its folder or one of its files. Lines of both versions may stand in it, in any order.
func Run(path string) (Report, error) {
	r := replayer{Report: Report{Different: []Difference{}}, programs: map[string]*rules.Program{}, said: line.Rows{}}
	stats, err := journal.ReadHistory(path, r.add)
	return r.end(path, stats, err)
}

// notePolicy keeps a policy of version 1 for the ticks that are under it. The head of a segment of version 2 has one as well.
func (r *replayer) notePolicy(p *journal.Policy) {
	if p != nil && p.Policy2 == nil {
		r.programs[p.Hash] = rules.Compile(p.Policy)
	}
}

// tick makes the plan of a tick of version 1 again.
func (r *replayer) tick(t *journal.Tick) error {
	p, ok := r.programs[t.PolicyHash]
	if !ok {
		r.NoPolicy++
		return nil
	}
	return r.replayTick(p, t)
}

func (r *replayer) end(path string, stats journal.Stats, err error) (Report, error) {
	r.BadLines = stats.BadLines
	if err == nil && r.Ticks == 0 {
		err = fmt.Errorf("%w: %s holds %d lines, %d of them decisions without their policy, %d damaged (name the journal's folder or one of its files)",
			ErrNoDecisions, path, stats.Entries, r.NoPolicy, stats.BadLines)
	}
	return r.Report, err
}

// checkSeq checks that a line bears the number after that of the line before it.
func (r *replayer) checkSeq(seq uint64) {
	switch {
	case r.last > 0 && seq <= r.last:
		r.Repeated++
		return
	case r.last > 0:
		r.Missing += seq - r.last - 1
	}
	r.last = seq
}

func (r *replayer) replayTick(p *rules.Program, t *journal.Tick) error {
	plan := rules.DecideV1(p, t.Population, t.Inventory, t.Context)
	again, err := json.Marshal(plan)
	if err != nil {
		return err
	}

	r.Ticks++
	if bytes.Equal(again, t.Plan) {
		r.Same++
		return nil
	}

	r.Different = append(r.Different, Difference{
		Tick: t.Context.Tick, Sequence: t.Population.Sequence, What: difference(t, plan),
		Recorded: t.Plan, Replayed: again,
	})
	return nil
}

// difference names the first container whose verdict is another.
func difference(t *journal.Tick, now contract.Plan) string {
	then, err := t.Decoded()
	if err != nil {
		return err.Error()
	}

	if then.PolicyHash != now.PolicyHash {
		return fmt.Sprintf("the policy's hash was %s and is %s", then.PolicyHash, now.PolicyHash)
	}
	if len(then.Verdicts) != len(now.Verdicts) {
		return fmt.Sprintf("%d containers were judged, now %d", len(then.Verdicts), len(now.Verdicts))
	}

	for i, v := range then.Verdicts {
		n := now.Verdicts[i]
		if v.ID != n.ID || v.Verdict != n.Verdict || v.Reason != n.Reason || v.Rank != n.Rank {
			return fmt.Sprintf("%.12s was %s (%s), now at its place %.12s is %s (%s)", v.ID, v.Verdict, v.Reason, n.ID, n.Verdict, n.Reason)
		}
	}
	return "a figure or a count"
}
