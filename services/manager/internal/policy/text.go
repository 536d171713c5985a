package policy

import (
	"fmt"
	"math"
	"slices"
	"time"

	"gestor.local/contract"
)

// Text says a verdict's reason in words, with the numbers that decided. The plan supplies how many competed, the inventory
// what the container's labels say; it may be nil. For all verdicts of a plan Texts is faster.
func Text(v contract.Verdict, p contract.Plan, inv *contract.Inventory) string {
	return NewTexts(p, inv).Of(v)
}

// Texts words the verdicts of one plan. What an orchestrator's containers have in common is summed up once.
type Texts struct {
	plan contract.Plan
	inv  *contract.Inventory
	// Shares are those of the orchestrators' workloads, the smallest first.
	Shares []Share
}

// NewTexts makes the words of a plan; inv may be nil.
func NewTexts(p contract.Plan, inv *contract.Inventory) *Texts {
	return &Texts{plan: p, inv: inv, Shares: shares(p, inv)}
}

// Of says the reason of a verdict of the plan, see Text.
func (t *Texts) Of(v contract.Verdict) string {
	p := t.plan
	switch v.Reason {
	case contract.ReasonUnknown:
		return unknownText(v.ID, t.inv)
	case contract.ReasonElsewhere:
		return t.elsewhere(v)
	case contract.ReasonWithinQuota:
		return place(v, p) + "; " + against(v, "ahead of")
	case contract.ReasonOverQuota:
		return place(v, p) + "; " + against(v, "behind")
	case contract.ReasonCapped:
		return place(v, p) + ", but the plan has reached its caps; " + against(v, "behind")
	case contract.ReasonYoung:
		return fmt.Sprintf("%s old: not judged before it was seen for the whole warm-up", seconds(v.AgeUS))
	case contract.ReasonYoungFlood:
		return fmt.Sprintf("%s old and among the newest of more young containers than young.max allows", seconds(v.AgeUS))
	case contract.ReasonMemoryFloor:
		return fmt.Sprintf("%s old and among the newest while the host's memory is under young.memory_floor_kb", seconds(v.AgeUS))
	default:
		return fixedText(v.Reason)
	}
}

// fixedText words the reasons that carry no number.
func fixedText(reason string) string {
	texts := map[string]string{
		contract.ReasonNotOwned:    "its labels (" + contract.LabelManaged + ", " + contract.LabelSuite + ") do not say that it is this suite's: it is never touched",
		contract.ReasonSuite:       "part of Gestor itself",
		contract.ReasonProtected:   "protected by the policy",
		contract.ReasonElsewhere:   "an orchestrator keeps it and would start another: it is never removed",
		contract.ReasonUnmeasured:  "not measured this time: it stays and holds no place",
		contract.ReasonPaused:      "it stays and holds no place",
		contract.ReasonLeaving:     "an earlier removal of it is still in flight",
		contract.ReasonStuck:       "removing it failed too often: it is left alone until it changes",
		contract.ReasonFutile:      "it came back under the same name each time it was removed: its removal pauses",
		contract.ReasonNotRunning:  "the engine does not call it running",
		contract.ReasonNotInEngine: "measured, but this engine does not know it",
		contract.ReasonOrphaned:    "the generator that started it is gone and the suite ends: nobody else would remove it",
	}
	if text, ok := texts[reason]; ok {
		return text
	}
	return reason
}

// elsewhere is the word on the workload that the container belongs to.
func (t *Texts) elsewhere(v contract.Verdict) string {
	if t.inv != nil {
		if e := entryOf(t.inv, v.ID); e != nil {
			w, _ := contract.WorkloadOf(e.Labels)
			i := slices.IndexFunc(t.Shares, func(s Share) bool { return s.Workload == w && s.Class == v.Class })
			if i >= 0 {
				return t.Shares[i].elsewhereText()
			}
		}
	}
	return fixedText(v.Reason)
}

// unknownText tells a label that says something else from one that is not there.
func unknownText(id string, inv *contract.Inventory) string {
	if inv != nil {
		if e := entryOf(inv, id); e != nil {
			if label, set := e.Labels[contract.LabelClass]; set {
				return fmt.Sprintf("its class is unknown: its label %s says %q, allowed are %s and %s, written so", contract.LabelClass, label,
					contract.ClassLow, contract.ClassHigh)
			}
		}
	}
	return "its class is unknown: neither the label " + contract.LabelClass + " nor the image map says low or high"
}

// place says "rank 4 of 7 low, 3 stay".
func place(v contract.Verdict, p contract.Plan) string {
	low, high := classCount(p, contract.ClassLow), classCount(p, contract.ClassHigh)
	if p.Classify == contract.ClassifyRank {
		return fmt.Sprintf("rank %d of %d, lightest first: the first %d and the last %d stay",
			v.Rank, low.Eligible+high.Eligible, low.Quota, high.Quota)
	}
	count, best := low, "lightest"
	if v.Class == contract.ClassHigh {
		count, best = high, "heaviest"
	}
	return fmt.Sprintf("rank %d of %d %s, %s first: %s", v.Rank, count.Eligible, v.Class, best, staying(count.Quota))
}

func staying(quota int) string {
	if quota == 1 {
		return "1 stays"
	}
	return fmt.Sprintf("%d stay", quota)
}

func classCount(p contract.Plan, class contract.Class) contract.ClassCount {
	for _, c := range p.Counts {
		if c.Class == class {
			return c
		}
	}
	return contract.ClassCount{}
}

// against says "cpu 40m against 30m: behind web-3 (rank 3)".
func against(v contract.Verdict, how string) string {
	n := v.Neighbour
	if n == nil || v.Measures == nil {
		return "nobody stands on the other side of the cut"
	}
	name := n.Name
	if name == "" {
		name = n.ID[:min(12, len(n.ID))]
	}
	return fmt.Sprintf("%s %s (rank %d) by %s", how, name, n.Rank, difference(v, *n))
}

func difference(v contract.Verdict, n contract.Neighbour) string {
	switch v.DecidingKey {
	case contract.KeyCPU:
		return fmt.Sprintf("cpu: %dm against %dm", v.Measures.CPUMillicores, n.CPUMillicores)
	case contract.KeyRAM:
		return fmt.Sprintf("ram: %d KB against %d KB", v.Measures.RAMKB, n.RAMKB)
	case contract.KeyVSZ:
		return fmt.Sprintf("vsz: %d KB against %d KB", v.Measures.VSZKB, n.VSZKB)
	case contract.KeyRSS:
		return fmt.Sprintf("rss: %d KB against %d KB", v.Measures.RSSKB, n.RSSKB)
	case contract.KeyAge:
		return "age: equal in all four measures"
	default:
		return "id: equal in all four measures and in age"
	}
}

// seconds prints microseconds as people read an age.
func seconds(us uint64) string {
	return (time.Duration(min(us, math.MaxInt64/1000)) * time.Microsecond).Round(100 * time.Millisecond).String()
}
