package reason

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"
)

// Inputs are what a plan was made from, as far as it is known: no field has to be set.
type Inputs struct {
	Policy    *contract.Policy    // how was compared: without it ties are not explained
	Inventory *contract.Inventory // what the labels say
	Suite     string              // whose containers are judged (contract.Context)
}

// Text says a verdict's reason in words, with the numbers that decided. The plan supplies how many competed, the inputs
// the rest. For all verdicts of a plan Texts is faster.
func Text(v contract.Verdict, p contract.Plan, in Inputs) string {
	return NewTexts(p, in).Of(v)
}

// Texts explains the verdicts of one plan. What an orchestrator's containers have in common is summed up once.
type Texts struct {
	plan contract.Plan
	in   Inputs
	// Shares are those of the orchestrators' workloads, the smallest first.
	Shares []Share
}

// NewTexts makes the texts of a plan.
func NewTexts(p contract.Plan, in Inputs) *Texts {
	return &Texts{plan: p, in: in, Shares: shares(p, in.Inventory)}
}

// Of says the reason of a verdict of the plan, see Text.
func (t *Texts) Of(v contract.Verdict) string {
	p, in := t.plan, t.in
	switch v.Reason {
	case contract.ReasonNotOwned:
		return notOwnedText(v.ID, in)
	case contract.ReasonUnknown:
		return unknownText(v.ID, in.Inventory)
	case contract.ReasonElsewhere:
		return t.elsewhereText(v)
	case contract.ReasonWithinQuota:
		return rankText(v, p) + "; " + comparisonText(v, "ahead of", in.Policy)
	case contract.ReasonOverQuota:
		return rankText(v, p) + "; " + comparisonText(v, "behind", in.Policy)
	case contract.ReasonCapped:
		return rankText(v, p) + ", but the plan has reached its caps; " + comparisonText(v, "behind", in.Policy)
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

// fixedText is the text of the reasons that carry no number.
func fixedText(reason string) string {
	texts := map[string]string{
		contract.ReasonSuite:         "part of Gestor itself",
		contract.ReasonProtected:     "protected by the policy",
		contract.ReasonElsewhere:     "an orchestrator keeps it and would start another: it is never removed",
		contract.ReasonUnmeasured:    "not measured this time: it stays and holds no place",
		contract.ReasonPaused:        "it stays and holds no place",
		contract.ReasonLeaving:       "an earlier removal of it is still in flight",
		contract.ReasonStuck:         "removing it failed too often: it is left alone until it changes",
		contract.ReasonFutile:        "it came back under the same name each time it was removed: its removal pauses",
		contract.ReasonNotRunning:    "the engine does not call it running",
		contract.ReasonNotInEngine:   "measured, but this engine does not know it",
		contract.ReasonShadowRemoved: "removed in shadow only: later plans are made without it",
		contract.ReasonOrphaned:      "the generator that started it is gone and the suite ends: nobody else would remove it",
	}
	if text, ok := texts[reason]; ok {
		return text
	}
	return reason
}

// elsewhereText explains the workload that the container belongs to.
func (t *Texts) elsewhereText(v contract.Verdict) string {
	if e := t.in.Inventory.Entry(v.ID); e != nil {
		w, _ := contract.WorkloadOf(e.Labels)
		i := slices.IndexFunc(t.Shares, func(s Share) bool { return s.Workload == w && s.Class == v.Class })
		if i >= 0 {
			return t.Shares[i].text()
		}
	}
	return fixedText(v.Reason)
}

// notOwnedText says which labels were found and whose were wanted.
func notOwnedText(id string, in Inputs) string {
	e := in.Inventory.Entry(id)
	if e == nil || contract.Owned(e.Labels, in.Suite) { // the engine named it twice, and is not believed
		return "its labels (" + contract.LabelManaged + ", " + contract.LabelSuite + ") do not say that it is this suite's: it is never touched"
	}
	return "it is never touched: " + contract.WhyNotOwned(e.Labels, in.Suite)
}

// unknownText distinguishes a label with another value from one that is not there.
func unknownText(id string, inv *contract.Inventory) string {
	if e := inv.Entry(id); e != nil {
		if label, set := e.Labels[contract.LabelClass]; set {
			return fmt.Sprintf("its class is unknown: its label %s says %s, allowed are %s and %s, written so", contract.LabelClass,
				contract.QuoteLabel(label), contract.ClassLow, contract.ClassHigh)
		}
	}
	return "its class is unknown: neither the label " + contract.LabelClass + " nor the image map says low or high"
}

// rankText says "rank 4 of 7 low, 3 stay".
func rankText(v contract.Verdict, p contract.Plan) string {
	low, high := classCount(p, contract.ClassLow), classCount(p, contract.ClassHigh)
	if p.Classify == contract.ClassifyRank {
		return fmt.Sprintf("rank %d of %d, lightest first: the first %d and the last %d stay",
			v.Rank, low.Eligible+high.Eligible, low.Quota, high.Quota)
	}
	count, best := low, "lightest"
	if v.Class == contract.ClassHigh {
		count, best = high, "heaviest"
	}
	return fmt.Sprintf("rank %d of %d %s, %s first: %s", v.Rank, count.Eligible, v.Class, best, stayText(count.Quota))
}

func stayText(quota int) string {
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

// comparisonText says "behind web-3 (rank 3) by rss: 900 KB against 700 KB, since cpu and ram tie".
func comparisonText(v contract.Verdict, how string, p *contract.Policy) string {
	n := v.Neighbour
	if n == nil || v.Measures == nil {
		return "nobody stands on the other side of the cut"
	}
	name := n.Name
	if name == "" {
		name = n.ID[:min(12, len(n.ID))]
	}
	return fmt.Sprintf("%s %s (rank %d) by %s%s", how, name, n.Rank, keyText(v, *n), tiesText(v, *n, p))
}

func keyText(v contract.Verdict, n contract.Neighbour) string {
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
		return "age" // the older comes first
	default:
		return "id" // the smaller
	}
}

// tiesText names the keys that come before the deciding one: the two are alike in them, though their figures may differ
// within a bucket.
func tiesText(v contract.Verdict, n contract.Neighbour, p *contract.Policy) string {
	if p == nil {
		return allTieText(v.DecidingKey)
	}
	tied := p.Rank
	if i := slices.Index(p.Rank, v.DecidingKey); i >= 0 {
		tied = p.Rank[:i]
	}
	var words []string
	for _, k := range tied {
		words = append(words, string(k)+bucketText(k, *v.Measures, n.Measures, p.Buckets))
	}
	if v.DecidingKey == contract.KeyID {
		words = append(words, string(contract.KeyAge))
	}

	switch last := len(words) - 1; last {
	case -1:
		return ""
	case 0:
		return ", since " + words[0] + " ties"
	default:
		return ", since " + strings.Join(words[:last], ", ") + " and " + words[last] + " tie"
	}
}

// allTieText is tiesText where nobody knows what comes before a measure.
func allTieText(deciding contract.Key) string {
	switch deciding {
	case contract.KeyAge:
		return ": equal in all four measures"
	case contract.KeyID:
		return ": equal in all four measures and in age"
	default:
		return ""
	}
}

// bucketText says for two different figures that tie what they were rounded by, "" for two that are the same.
func bucketText(k contract.Key, a, b contract.Measures, width contract.Buckets) string {
	switch {
	case k == contract.KeyCPU && a.CPUMillicores != b.CPUMillicores:
		return fmt.Sprintf(" (%dm and %dm, in buckets of %dm)", a.CPUMillicores, b.CPUMillicores, width.CPUMillicores)
	case k == contract.KeyRAM && a.RAMKB != b.RAMKB:
		return fmt.Sprintf(" (%d KB and %d KB, in buckets of %d KB)", a.RAMKB, b.RAMKB, width.RAMKB)
	default:
		return ""
	}
}

// seconds prints microseconds as people read an age.
func seconds(us uint64) string {
	return (time.Duration(min(us, math.MaxInt64/1000)) * time.Microsecond).Round(100 * time.Millisecond).String()
}
