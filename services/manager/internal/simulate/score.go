package simulate

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"gestor.local/contract"
	"gestor.local/manager/internal/rules"
)

// score compares the decisions with what the containers really are: the class of their image, and what it consumes in
// the long run.
type score struct {
	quota   contract.Quota
	buckets contract.Buckets

	ticks, targetMetTicks   int
	places, wrongPlaces     int
	removals, wrongRemovals int
	overshoot, maxOvershoot int
	living, maxLiving       int
	settleUS, maxSettleUS   uint64
	settled                 int
	heldUS                  uint64   // ages of the holders of places, added up over the ticks
	batches                 []uint64 // begun and not settled yet
	holders                 []string
	slotChanges             int
}

func (s *score) addBatch(atUS uint64) { s.batches = append(s.batches, atUS) }

// addTick scores one decision. execute is false when it was not carried out.
func (s *score) addTick(h *host, plan []ruling, execute bool) {
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
	competing := map[contract.Class]*classTick{contract.ClassLow: {}, contract.ClassHigh: {}}

	for _, v := range plan {
		c := byID[v.id]
		class := competing[c.kind.class]

		kept := !v.removed
		if kept && v.reason != contract.ReasonLeaving {
			survivors++
			class.alive++
		}
		if v.reason != contract.ReasonLeaving {
			class.available++
		}

		// Only those with a rank compete, and one that a cap spared holds no place.
		if v.rank > 0 && v.reason != contract.ReasonCapped {
			class.all = append(class.all, s.steadyUseOf(c))
			if kept {
				class.kept = append(class.kept, s.steadyUseOf(c))
				holders = append(holders, v.id)
				s.heldUS += h.nowUS - c.startUS
			}
		}

		if !kept {
			s.removals++
		}
	}

	s.addClasses(competing)
	s.addPopulation(len(h.living), survivors, h.nowUS)
	s.countSlotChanges(holders)
}

// steadyUse is what a container of its image takes in the long run, in the policy's buckets, without the noise around
// it.
type steadyUse struct{ cpu, ram uint64 }

func (s *score) steadyUseOf(c *container) steadyUse {
	return steadyUse{rules.Bucket(c.steadyMC(), s.buckets.CPUMillicores), rules.Bucket(c.kind.ramKB, s.buckets.RAMKB)}
}

func lightest(a, b steadyUse) int {
	return cmp.Or(cmp.Compare(a.cpu, b.cpu), cmp.Compare(a.ram, b.ram))
}

func heaviest(a, b steadyUse) int { return lightest(b, a) }

// classTick is one class, as the images have it, on one tick: all that competed, those that hold a place, and how many
// live.
type classTick struct {
	all, kept        []steadyUse
	alive, available int
}

// addClasses counts the ticks on which both classes have their number, as far as it was there to be had, the places
// that the wrong container holds, and the removals of one that should have held it.
func (s *score) addClasses(both map[contract.Class]*classTick) {
	low, high := both[contract.ClassLow], both[contract.ClassHigh]
	if low.alive >= min(s.quota.Low, low.available) && high.alive >= min(s.quota.High, high.available) {
		s.targetMetTicks++
	}

	s.compareClass(low, s.quota.Low, lightest)
	s.compareClass(high, s.quota.High, heaviest)
}

// compareClass finds out who should hold the places of a class, and how many of those who do are as good.
func (s *score) compareClass(c *classTick, quota int, better func(a, b steadyUse) int) {
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

// addPopulation counts what lives beyond the places, and how long a batch takes to be dealt with: until no more are
// alive, or on their way out, than there are places.
func (s *score) addPopulation(living, survivors int, nowUS uint64) {
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

// countSlotChanges counts the places that have another holder than on the tick before.
func (s *score) countSlotChanges(holders []string) {
	for _, id := range holders {
		if len(s.holders) > 0 && !slices.Contains(s.holders, id) {
			s.slotChanges++
		}
	}
	s.holders = holders
}

// Result is what a run showed. Shares are per cent.
type Result struct {
	Workload string            `json:"workload"`
	Classify contract.Classify `json:"classify"`
	CPU      string            `json:"cpu"`
	Warmup   int               `json:"warmup"`
	Hours    float64           `json:"hours"`
	Seed     uint64            `json:"seed"`

	Ticks int `json:"ticks"`
	// MetPercent is the share of ticks after which as many low and high ones, by their image, live as the policy wants,
	// or as there were.
	MetPercent float64 `json:"met_percent"`
	// WrongPlacesPercent is the share of places whose holder is not, by its steady use, one of the best of its class.
	WrongPlacesPercent float64 `json:"wrong_places_percent"`
	Removals           int     `json:"removals"`
	// WrongRemovalsPercent is the share of removals that took one that should have held a place.
	WrongRemovalsPercent float64 `json:"wrong_removals_percent"`
	// Overshoot is how many more than the places survive a tick.
	OvershootMean float64 `json:"overshoot_mean"`
	OvershootMax  int     `json:"overshoot_max"`
	// Living is how many there are when the tick begins.
	LivingMean float64 `json:"living_mean"`
	LivingMax  int     `json:"living_max"`
	// Settle is the time from a batch to the tick that leaves no more than the places, in seconds.
	SettleMeanS float64 `json:"settle_mean_s"`
	SettleMaxS  float64 `json:"settle_max_s"`
	// SlotChangesPerHour is how many places got another holder.
	SlotChangesPerHour float64 `json:"handovers_per_hour"`
	// HeldAgeMeanS is the mean age of those that hold a place, in seconds.
	HeldAgeMeanS float64 `json:"held_age_mean_s"`
}

func (s *score) result(o Options) Result {
	const second = 1e6
	return Result{
		Workload: o.Workload, Classify: o.Policy.Classify, CPU: o.CPU, Warmup: o.Policy.Warmup, Hours: o.Hours, Seed: o.Seed,
		Ticks: s.ticks, Removals: s.removals,
		MetPercent:           percent(s.targetMetTicks, s.ticks),
		WrongPlacesPercent:   percent(s.wrongPlaces, s.places),
		WrongRemovalsPercent: percent(s.wrongRemovals, s.removals),
		OvershootMean:        ratio(float64(s.overshoot), s.ticks), OvershootMax: s.maxOvershoot,
		LivingMean: ratio(float64(s.living), s.ticks), LivingMax: s.maxLiving,
		SettleMeanS: ratio(float64(s.settleUS)/second, s.settled), SettleMaxS: float64(s.maxSettleUS) / second,
		SlotChangesPerHour: float64(s.slotChanges) / o.Hours,
		HeldAgeMeanS:       ratio(float64(s.heldUS)/second, s.places),
	}
}

func percent(part, whole int) float64 { return ratio(100*float64(part), whole) }

func ratio(part float64, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return part / float64(whole)
}

// Table writes results for people, one line a run.
func Table(w io.Writer, results []Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "workload\tclassify\tcpu\twarm-up\tticks\tpolicy met\twrong places\tremoved\tof them wrongly\tovershoot\tmax\tsettled after\tmax\thandovers/h\tage of the kept\t")
	for _, r := range results {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%.1f %%\t%.1f %%\t%d\t%.1f %%\t%.1f\t%d\t%.0f s\t%.0f s\t%.0f\t%.1f min\t\n",
			r.Workload, r.Classify, r.CPU, r.Warmup, r.Ticks, r.MetPercent, r.WrongPlacesPercent, r.Removals,
			r.WrongRemovalsPercent, r.OvershootMean, r.OvershootMax, r.SettleMeanS, r.SettleMaxS, r.SlotChangesPerHour, r.HeldAgeMeanS/60)
	}
	return t.Flush()
}
