package planview

import (
	"fmt"
	"strconv"
	"strings"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// place says which place of its group it has, and who stands on the other side of the line.
func (t *Texts) place(v *rules.Verdict) string {
	if v.Rank == 0 {
		return ReasonText(v.Reason)
	}

	var b strings.Builder
	fmt.Fprintf(&b, "rank %d", v.Rank)
	if size := t.groups[group{v.Rule, v.Group}]; size > 0 {
		fmt.Fprintf(&b, " of %d", size)
		if v.Group != "" {
			fmt.Fprintf(&b, " per %s %s", t.policy.Rules[v.Rule].Keep.Per, contract.Printable(v.Group))
		}
	} else if v.Group != "" {
		fmt.Fprintf(&b, " of %s", contract.Printable(v.Group))
	}
	if v.Rule >= 0 && v.Rule < len(t.policy.Rules) {
		fmt.Fprintf(&b, ", %s first", t.policy.Rules[v.Rule].Keep.Order)
	}
	fmt.Fprintf(&b, ": %s", staying(v.Cut))

	if n := v.Neighbour; n != nil {
		side := "ahead of"
		if v.Rank > v.Cut {
			side = "behind"
		}
		fmt.Fprintf(&b, "; %s %s", side, nameOf(n.Name, n.ID))
		if v.DecidingKey != "" {
			fmt.Fprintf(&b, " by %s%s", v.DecidingKey, t.against(v))
		}
	}
	return b.String()
}

// against are the two figures that set a container apart from its neighbour, "" where they are not known.
func (t *Texts) against(v *rules.Verdict) string {
	if t.groups == nil || v.Rule < 0 || v.Rule >= len(t.policy.Rules) {
		return ""
	}

	r := &t.policy.Rules[v.Rule]
	mine, ok := t.ranked(r, t.byID[v.ID], v.DecidingKey)
	other, known := t.ranked(r, t.byID[v.Neighbour.ID], v.DecidingKey)
	if !ok || !known {
		return ""
	}
	return ", " + mine + " against " + other
}

// ranked is the figure of a container, or of its project, that the rule orders by.
func (t *Texts) ranked(r *policy2.Rule, c *rules.Container, key string) (text string, ok bool) {
	if c == nil {
		return "", false
	}

	if key == string(contract.KeyAge) && (r.Keep.Order == policy2.Newest || r.Keep.Order == policy2.Oldest) {
		created := t.createdUS(r, c)
		return policy2.Duration(max(0, t.facts.WallUS-created) / 1e6).String(), created > 0
	}
	if r.Each == policy2.EachProject {
		return "", false // the sum over its containers
	}

	switch contract.Key(key) {
	case contract.KeyCPU:
		if !c.CPUUS.Known || t.facts.IntervalUS == 0 {
			return "", false
		}
		return strconv.FormatUint(c.CPUUS.Value*1000/t.facts.IntervalUS, 10) + "m", true
	case contract.KeyRAM:
		return kib(c.RAMKB)
	case contract.KeyVSZ:
		return kib(c.VSZKB)
	case contract.KeyRSS:
		return kib(c.RSSKB)
	default:
		return "", false
	}
}

func kib(of policy2.Fact[uint64]) (text string, ok bool) {
	return figure("ram", int64(min(of.Value, 1<<50))), of.Known //nolint:gosec // bounded
}

// createdUS is the creation of a container, or of the youngest of its project, 0 where that is not known.
func (t *Texts) createdUS(r *policy2.Rule, c *rules.Container) int64 {
	project := c.Project()
	if r.Each != policy2.EachProject || project == "" {
		return c.CreatedWallUS.Value
	}

	var youngest int64
	for i := range t.facts.Containers {
		if other := &t.facts.Containers[i]; other.Project() == project {
			youngest = max(youngest, other.CreatedWallUS.Value)
		}
	}
	return youngest
}

func staying(cut int) string {
	if cut == 1 {
		return "1 stays"
	}
	return strconv.Itoa(cut) + " stay"
}
