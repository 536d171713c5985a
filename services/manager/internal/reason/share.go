package reason

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"gestor.local/contract"
)

// Share is the part of one workload in the places of its class. Those that compete come first: what an orchestrator
// starts takes the places that they leave, and never costs one of them its own.
type Share struct {
	contract.Workload
	Class contract.Class
	// Replicas are those of its containers that live on this host, Places how many of them have one.
	Replicas, Places int
	// Placed says that the policy has places for the class.
	Placed bool
	// Pod is one of its pods, "" elsewhere than in Kubernetes.
	Pod string
}

// shareKey: in Kubernetes and Nomad containers of one workload may be of different classes.
type shareKey struct {
	contract.Workload
	class contract.Class
}

// shares sums up the containers of orchestrators among the plan's, the workload with fewest replicas first: where there
// are not enough places for all, the one that has most gives first.
func shares(p contract.Plan, inv *contract.Inventory) []Share {
	if inv == nil {
		return nil
	}

	index := make(map[shareKey]int)
	var out []Share
	for _, v := range p.Verdicts {
		if v.Reason != contract.ReasonElsewhere {
			continue
		}
		e := inv.Entry(v.ID)
		if e == nil {
			continue
		}

		w, _ := contract.WorkloadOf(e.Labels)
		key := shareKey{w, v.Class}
		i, exists := index[key]
		if !exists {
			i = len(out)
			index[key], out = i, append(out, Share{Workload: w, Class: v.Class, Pod: e.Labels[contract.LabelPod]})
		}
		if contract.StateAlive(e.State) {
			out[i].Replicas++
		}
	}

	// A total order: which workload gets a place that does not divide must not depend on the order of the plan.
	slices.SortFunc(out, func(a, b Share) int {
		return cmp.Or(cmp.Compare(a.Replicas, b.Replicas), cmp.Compare(a.By, b.By), cmp.Compare(a.Namespace, b.Namespace),
			cmp.Compare(a.Name, b.Name), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Alloc, b.Alloc), cmp.Compare(a.Class, b.Class))
	})
	for _, class := range []contract.Class{contract.ClassLow, contract.ClassHigh, contract.ClassUnknown} {
		assignPlaces(p, class, out)
	}
	return out
}

// assignPlaces divides the places of a class that nobody competes for among its workloads, as evenly as their numbers
// allow.
func assignPlaces(p contract.Plan, class contract.Class, all []Share) {
	free, workloads := freePlaces(p, class), 0
	for _, s := range all {
		if s.Class == class {
			workloads++
		}
	}

	// Rounded up, the smallest first: what a small workload leaves goes to the larger ones.
	for i := range all {
		s := &all[i]
		if s.Class != class {
			continue
		}

		s.Placed = class != contract.ClassUnknown || p.Classify == contract.ClassifyRank
		s.Places = min(s.Replicas, (free+workloads-1)/workloads)
		free, workloads = free-s.Places, workloads-1
	}
}

// freePlaces is the number of places of a class that nobody competes for. In rank mode there is one list, and whoever
// is not in it is of unknown class.
func freePlaces(p contract.Plan, class contract.Class) int {
	quota, eligible := 0, 0
	for _, c := range p.Counts {
		if c.Class == class || p.Classify == contract.ClassifyRank {
			quota, eligible = quota+c.Quota, eligible+c.Eligible
		}
	}

	return max(0, quota-eligible)
}

// Over says that the workload has more replicas than places.
func (s Share) Over() bool { return s.Placed && s.Replicas > s.Places }

// String says how many replicas there are for how many places, and the command that makes it fewer.
func (s Share) String() string {
	name, noun := s.displayName()
	have := name + " has " + plural(s.Replicas, noun)

	switch {
	case s.Replicas == 0:
		return name + " has no living " + noun
	case !s.Placed:
		return have + " of unknown class"
	case !s.Over():
		return have + " and " + plural(s.Places, "place")
	default:
		return have + " for " + plural(s.Places, "place") + ": " + s.command()
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// displayName is the workload as its orchestrator calls it, and what it calls a container of it.
func (s Share) displayName() (name, noun string) {
	service := cmp.Or(shownName(s.Name), "a service")

	// A label may be missing or empty: then the kind of thing stands for its name.
	switch s.By {
	case contract.Kubernetes:
		return cmp.Or(shownName(s.Namespace), "default") + "/" + cmp.Or(shownName(s.Name), "a pod"), "pod"
	case contract.Nomad:
		if s.Name == "" {
			return strings.TrimSuffix("Nomad's allocation "+shownName(s.Alloc), " "), "container"
		}
		return strings.TrimSuffix(service+"/"+shownName(s.Group), "/"), "allocation"
	case contract.Systemd:
		return cmp.Or(shownName(s.Name), "a unit"), "container"
	default:
		return service, "replica"
	}
}

// command is what makes the workload as large as it has places on this host. One that runs on several hosts has as many
// replicas more as the others are to keep.
func (s Share) command() string {
	const others = ", and as many more as other nodes run"

	switch s.By {
	case contract.Kubernetes:
		namespace := "kubectl --namespace " + shellWord(s.Namespace, "NAMESPACE")
		return fmt.Sprintf("%s scale --replicas=%d OWNER%s (%s describe pod %s names the owner)",
			namespace, s.Places, others, namespace, shellWord(s.Pod, "POD"))
	case contract.Nomad:
		scale := "nomad job scale "
		if s.Namespace != "" {
			scale += "-namespace=" + shellWord(s.Namespace, "NAMESPACE") + " "
		}
		if s.Name == "" {
			return fmt.Sprintf("%sJOB, by one less (nomad alloc status %s names the job)", scale, shellWord(s.Alloc, "ALLOCATION"))
		}
		return fmt.Sprintf("%s%s %s %d%s", scale, shellWord(s.Name, "JOB"), shellWord(s.Group, "GROUP"), s.Places, others)
	case contract.Systemd:
		return "systemctl stop " + shellWord(s.Name, "UNIT")
	default:
		return fmt.Sprintf("docker service scale %s=%d%s", shellWord(s.Name, "SERVICE"), s.Places, others)
	}
}

// longestName is more than orchestrators allow; a label may be longer.
const longestName = 128

// shownName is a name that somebody else chose as far as it can be shown within a sentence.
func shownName(name string) string { return contract.Shorten(contract.Printable(name), longestName) }

// shellWord is a name as one word of a shell. Whoever starts a container writes its labels: what no orchestrator would
// use as a name is left for the reader to fill in, as blank.
func shellWord(name, blank string) string {
	plain := func(r rune) bool {
		return r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(`-_.@:/\`, r))
	}
	if name == "" || len(name) > longestName || strings.HasPrefix(name, "-") || strings.ContainsFunc(name, func(r rune) bool { return !plain(r) }) {
		return blank
	}

	if strings.Contains(name, `\`) { // systemd writes bytes of a name as \x2d
		return "'" + name + "'"
	}
	return name
}

// text says whose the container is and what can be done about it.
func (s Share) text() string {
	keeper := map[contract.Orchestrator]string{
		contract.Swarm: "swarm", contract.Kubernetes: "Kubernetes", contract.Nomad: "Nomad", contract.Systemd: "systemd",
	}[s.By]
	return s.String() + "; never removed, " + keeper + " would start another"
}
