package oracle

import (
	"slices"
	"strings"

	"gestor.local/contract"
)

// screen gives each subject a class, and a reason if it is to be left alone; those without a reason compete for the
// places.
func screen(p contract.Policy, ctx contract.Context, subjects []*subject) {
	l := lookup{
		own: ctx.Suite, suite: set(ctx.SuiteIDs), leaving: set(ctx.Leaving), stuck: set(ctx.Stuck), futile: set(ctx.FutileNames),
		protected: set(p.Protect.Names), images: imageClasses(p.Images),
	}
	for _, s := range subjects {
		l.screenOne(p, s)
	}
}

// lookup holds the sets that every subject is looked up in.
type lookup struct {
	own                                      string // the suite whose containers are ours
	suite, leaving, stuck, futile, protected map[string]bool
	images                                   map[string]contract.Class
}

func set(words []string) map[string]bool {
	out := make(map[string]bool, len(words))
	for _, w := range words {
		out[w] = true
	}
	return out
}

// screenOne finds the first thing that speaks against touching the subject. Who it is comes before what it does: a
// reason that cannot change by itself hides one that can.
func (l lookup) screenOne(p contract.Policy, s *subject) {
	if s.entry != nil {
		s.class = l.classOf(p, s.entry)
		s.owned = contract.Owned(s.entry.Labels, l.own) && !l.isSuite(s)
		if s.owned {
			_, s.elsewhere = contract.WorkloadOf(s.entry.Labels)
		}
	}

	switch {
	case l.isSuite(s):
		s.reason = contract.ReasonSuite
	case s.entry == nil && s.member != nil:
		s.reason = contract.ReasonNotInEngine
	case !s.owned:
		s.reason = contract.ReasonNotOwned
	case l.protected[s.entry.Name] || slices.ContainsFunc(p.Protect.Labels, s.hasLabel):
		s.reason = contract.ReasonProtected
	case s.elsewhere:
		s.reason = contract.ReasonElsewhere
	default:
		s.reason = l.screenState(p, s)
	}
}

// isSuite: by resolved id, and by role for a part that runs without the others knowing its id.
func (l lookup) isSuite(s *subject) bool {
	return l.suite[s.id] || s.entry != nil && contract.OfSuite(s.entry.Labels, l.own)
}

// hasLabel says whether the engine's entry carries the label, "key" or "key=value".
func (s *subject) hasLabel(label string) bool {
	key, want, valued := strings.Cut(label, "=")
	got, ok := s.entry.Labels[key]
	return ok && (!valued || got == want)
}

// isAlive says whether the engine runs it: what ended is no part of the population.
func (s *subject) isAlive() bool { return contract.StateAlive(s.entry.State) }

// screenState finds what keeps an owned, unprotected subject out of the competition for now, "" for nothing.
func (l lookup) screenState(p contract.Policy, s *subject) string {
	switch {
	case l.leaving[s.id]:
		return contract.ReasonLeaving
	case l.stuck[s.id]:
		return contract.ReasonStuck
	case l.futile[s.entry.Name]:
		return contract.ReasonFutile
	case s.entry.State == contract.StatePaused || s.member != nil && s.member.Frozen:
		return contract.ReasonPaused
	case s.entry.State != contract.StateRunning:
		return contract.ReasonNotRunning
	case s.class == contract.ClassUnknown && p.Classify != contract.ClassifyRank:
		return contract.ReasonUnknown
	default:
		return s.screenMeasures(p)
	}
}

// untrusted are the reasons for which nothing is known of a container, its age included.
var untrusted = []string{contract.UnmeasuredBadRow, contract.UnmeasuredUnlocated, contract.UnmeasuredImpossible}

// screenMeasures says whether the subject has been seen and measured well enough to be compared.
func (s *subject) screenMeasures(p contract.Policy) string {
	m := s.member
	switch {
	case m == nil || !m.Measured && slices.Contains(untrusted, m.Why):
		return contract.ReasonUnmeasured
	case m.SeenTicks <= p.Warmup || m.AgeUS < warmupUS(p):
		s.young = true
		return contract.ReasonYoung
	case !m.Measured && (p.Warmup > 0 || m.Why != contract.UnmeasuredBaseline):
		return contract.ReasonUnmeasured
	default:
		return ""
	}
}

// warmupUS is the age at which a container counts, in microseconds.
func warmupUS(p contract.Policy) uint64 {
	return uint64(p.Warmup) * uint64(max(0, p.Tick)) / 1000
}
