package simulate

import (
	"fmt"
	"io"
	"text/tabwriter"

	"gestor.local/contract"
)

// Result is what a run showed. Shares are per cent.
type Result struct {
	Workload string            `json:"workload"`
	Classify contract.Classify `json:"classify"`
	CPU      string            `json:"cpu"`
	Warmup   int               `json:"warmup"`
	Hours    float64           `json:"hours"`
	Seed     uint64            `json:"seed"`

	Ticks int `json:"ticks"`
	// MetPercent is the share of ticks after which as many truly low and truly high ones live as the policy wants, or as
	// there were.
	MetPercent float64 `json:"met_percent"`
	// WrongPlacesPercent is the share of places whose holder is not, by the truth, one of the best of its class.
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
	// HandoversPerHour is how many places changed hands.
	HandoversPerHour float64 `json:"handovers_per_hour"`
	// HeldAgeMeanS is the mean age of those that hold a place, in seconds.
	HeldAgeMeanS float64 `json:"held_age_mean_s"`
}

func (s *score) result(o Options) Result {
	const second = 1e6
	return Result{
		Workload: o.Workload, Classify: o.Policy.Classify, CPU: o.CPU, Warmup: o.Policy.Warmup, Hours: o.Hours, Seed: o.Seed,
		Ticks: s.ticks, Removals: s.removals,
		MetPercent:           percent(s.met, s.ticks),
		WrongPlacesPercent:   percent(s.wrongPlaces, s.places),
		WrongRemovalsPercent: percent(s.wrongRemovals, s.removals),
		OvershootMean:        ratio(float64(s.overshoot), s.ticks), OvershootMax: s.maxOvershoot,
		LivingMean: ratio(float64(s.living), s.ticks), LivingMax: s.maxLiving,
		SettleMeanS: ratio(float64(s.settleUS)/second, s.settled), SettleMaxS: float64(s.maxSettleUS) / second,
		HandoversPerHour: float64(s.handovers) / o.Hours,
		HeldAgeMeanS:     ratio(float64(s.heldUS)/second, s.places),
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
			r.WrongRemovalsPercent, r.OvershootMean, r.OvershootMax, r.SettleMeanS, r.SettleMaxS, r.HandoversPerHour, r.HeldAgeMeanS/60)
	}
	return t.Flush()
}
