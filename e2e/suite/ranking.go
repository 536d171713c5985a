// Package suite starts the whole suite on the real engine and looks at what it does from outside.
package suite

import (
	"cmp"
	"slices"

	"gestor.local/contract"
)

// The ranking below is written from the policy's text alone and shares no code with the manager: it re-derives, from the
// stored container records, who had to go.

const (
	quotaLow, quotaHigh = 3, 2
	bucketMillicores    = 10
	bucketKB            = 1024
)

// tickView is what the records say of one tick.
type tickView struct {
	tick       uint64
	containers map[string]contract.ContainerBody
	removed    map[string]contract.DecisionBody
}

// byTick groups container and decision records; ticks without container records are left out.
func byTick(records []contract.Record) []tickView {
	views := map[uint64]*tickView{}
	at := func(tick uint64) *tickView {
		if views[tick] == nil {
			views[tick] = &tickView{tick, map[string]contract.ContainerBody{}, map[string]contract.DecisionBody{}}
		}
		return views[tick]
	}

	for _, r := range records {
		switch b := r.Body.(type) {
		case contract.ContainerBody:
			at(r.Tick).containers[b.Container] = b
		case contract.DecisionBody:
			if b.Verdict == contract.VerdictRemove {
				at(r.Tick).removed[b.Container] = b
			}
		}
	}

	var out []tickView
	for _, v := range views {
		if len(v.containers) > 0 {
			out = append(out, *v)
		}
	}

	slices.SortFunc(out, func(a, b tickView) int { return cmp.Compare(a.tick, b.tick) })
	return out
}

// surplus returns the ids that the default policy removes on this tick: the mature, measured, owned containers of each
// class beyond its quota, those in leaving (an earlier tick already began to remove them) left out.
func surplus(before, now tickView, tickUS uint64, leaving map[string]bool) map[string]bool {
	gone := map[string]bool{}
	for class, quota := range map[contract.Class]int{contract.ClassLow: quotaLow, contract.ClassHigh: quotaHigh} {
		ranked := eligible(before, now, class, tickUS, leaving)
		slices.SortFunc(ranked, func(a, b contract.ContainerBody) int { return better(class, a, b) })
		for _, c := range ranked[min(quota, len(ranked)):] {
			gone[c.Container] = true
		}
	}
	return gone
}

func eligible(before, now tickView, class contract.Class, tickUS uint64, leaving map[string]bool) []contract.ContainerBody {
	var out []contract.ContainerBody
	for id, c := range now.containers {
		_, seenBefore := before.containers[id]
		if c.Owned && c.Measured && c.Class == class && c.State == "running" && seenBefore && c.AgeUS >= tickUS && !leaving[id] {
			out = append(out, c)
		}
	}
	return out
}

// better orders the containers of one class, those that stay first: low by the lightest, high by the heaviest, then the
// older, then the smaller id.
func better(class contract.Class, a, b contract.ContainerBody) int {
	byLoad := cmp.Or(
		cmp.Compare(nearest(a.CPUMillicores, bucketMillicores), nearest(b.CPUMillicores, bucketMillicores)),
		cmp.Compare(nearest(a.RAMKB, bucketKB), nearest(b.RAMKB, bucketKB)),
		cmp.Compare(a.VSZKB, b.VSZKB),
		cmp.Compare(a.RSSKB, b.RSSKB),
	)

	// Only the load is turned around: of two that are alike the older stays in either class.
	if class == contract.ClassHigh {
		byLoad = -byLoad
	}
	return cmp.Or(byLoad, cmp.Compare(b.AgeUS, a.AgeUS), cmp.Compare(a.Container, b.Container))
}

// nearest is the number of the bucket whose middle is closest to the value (a half goes up): limits sit on multiples of
// the width, and noise about them must not turn the order.
func nearest(value, width uint64) uint64 { return (2*value + width) / (2 * width) }
