package simulate

import (
	"cmp"
	"slices"

	"gestor.local/contract"

	"gestor.local/manager/internal/policy"
)

// score holds the decisions against the truth. The truth of a container is its image: its class, and what it consumes
// in the long run.
type score struct {
	quota   contract.Quota
	buckets contract.Buckets

	ticks, met              int
	places, wrongPlaces     int
	removals, wrongRemovals int
	overshoot, maxOvershoot int
	living, maxLiving       int
	settleUS, maxSettleUS   uint64
	settled                 int
	heldUS                  uint64   // ages of the holders of places, added up over the ticks
	batches                 []uint64 // begun and not settled yet
	holders                 []string
	handovers               int
}

func (s *score) batch(atUS uint64) { s.batches = append(s.batches, atUS) }

// tick scores one decision. execute is false when it was not carried out.
func (s *score) tick(h *host, plan contract.Plan, execute bool) {
	if !execute {
		return
	}
	byID := make(map[string]*container, len(h.living))
	for _, c := range h.living {
		byID[c.id] = c
	}
	s.ticks++
	var survivors int
	var holders []string
	competing := map[contract.Class]*standing{contract.ClassLow: {}, contract.ClassHigh: {}}
	for _, v := range plan.Verdicts {
		c := byID[v.ID]
		class := competing[c.kind.class]
		kept := v.Verdict == contract.VerdictKeep
		if kept && v.Reason != contract.ReasonLeaving {
			survivors++
			class.alive++
		}
		if v.Reason != contract.ReasonLeaving {
			class.available++
		}
		if v.Rank > 0 && v.Reason != contract.ReasonCapped {
			class.all = append(class.all, s.truthOf(c))
			if kept {
				class.kept = append(class.kept, s.truthOf(c))
				holders = append(holders, v.ID)
				s.heldUS += h.nowUS - c.startUS
			}
		}
		if !kept {
			s.removals++
		}
	}
	s.classes(competing)
	s.population(len(h.living), survivors, h.nowUS)
	s.handover(holders)
}

// truth is what a container of its image takes in the long run, in the policy's buckets; the noise around it is no truth.
type truth struct{ cpu, ram uint64 }

func (s *score) truthOf(c *container) truth {
	return truth{policy.Bucket(c.steadyMC(), s.buckets.CPUMillicores), policy.Bucket(c.kind.ramKB, s.buckets.RAMKB)}
}

func lightest(a, b truth) int { return cmp.Or(cmp.Compare(a.cpu, b.cpu), cmp.Compare(a.ram, b.ram)) }

func heaviest(a, b truth) int { return lightest(b, a) }

// standing is one true class on one tick: all that competed, those that hold a place, and how many live.
type standing struct {
	all, kept        []truth
	alive, available int
}

// classes counts the ticks on which both classes have their number, as far as it was there to be had, the places that the
// wrong container holds, and the removals of one that should have held it.
func (s *score) classes(both map[contract.Class]*standing) {
	low, high := both[contract.ClassLow], both[contract.ClassHigh]
	if low.alive >= min(s.quota.Low, low.available) && high.alive >= min(s.quota.High, high.available) {
		s.met++
	}
	s.compare(low, s.quota.Low, lightest)
	s.compare(high, s.quota.High, heaviest)
}

// compare finds out who should hold the places of a class, and how many of those who do are as good.
func (s *score) compare(c *standing, quota int, better func(a, b truth) int) {
	slices.SortFunc(c.all, better)
	ideal := min(quota, len(c.all))
	right := 0
	for _, k := range c.kept {
		if ideal > 0 && better(k, c.all[ideal-1]) <= 0 {
			right++
		}
	}
	right = min(right, ideal)
	s.places += len(c.kept)
	s.wrongPlaces += len(c.kept) - right
	s.wrongRemovals += ideal - right
}

// population counts what lives beyond the places, and how long a batch takes to be dealt with: until no more are alive,
// or on their way out, than there are places.
func (s *score) population(living, survivors int, nowUS uint64) {
	over := max(0, survivors-s.quota.Low-s.quota.High)
	s.overshoot += over
	s.maxOvershoot = max(s.maxOvershoot, over)
	s.living += living
	s.maxLiving = max(s.maxLiving, living)
	if over > 0 {
		return
	}
	for _, began := range s.batches {
		s.settleUS += nowUS - began
		s.maxSettleUS = max(s.maxSettleUS, nowUS-began)
		s.settled++
	}
	s.batches = nil
}

// handover counts the places that changed hands.
func (s *score) handover(holders []string) {
	for _, id := range holders {
		if len(s.holders) > 0 && !slices.Contains(s.holders, id) {
			s.handovers++
		}
	}
	s.holders = holders
}
