package contract

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Bounds of a policy. They refuse what can only be a slip of the hand, not what is merely unusual.
const (
	minTick       = time.Second // below it the host cannot be read and the engine asked within a tick
	maxTick       = time.Hour
	maxPlaces     = 10_000
	maxWarmup     = 1_000
	maxParallel   = 64
	maxGrace      = 5 * time.Minute
	minDeadline   = time.Second
	maxDeadline   = 10 * time.Minute
	minThrottleMC = 10 // the kernel's smallest CPU quota is 1 ms a period of 100 ms
)

// Validate returns everything that is wrong with the policy.
func (p Policy) Validate() Problems {
	var out Problems
	p.validateHead(&out)
	p.validateRanking(&out)
	p.validateImages(&out)
	p.Protect.validate(&out)
	p.Caps.validate(&out)
	p.Gates.validate(&out)
	p.Act.validate(&out)
	if p.Young.Max < 1 {
		out.hint("young.max", "must be at least 1", "it is a number of containers; a large one never takes effect")
	}
	return out
}

func (p Policy) validateHead(out *Problems) {
	if p.Version != PolicyVersion {
		out.hint("version", fmt.Sprintf("%d is not supported", p.Version), fmt.Sprintf("write version: %d", PolicyVersion))
	}
	oneOf(out, "mode", p.Mode, ModeObserve, ModeShadow, ModeEnforce)
	oneOf(out, "classify", p.Classify, ClassifyDeclared, ClassifyRank)

	within(out, "tick", time.Duration(p.Tick), minTick, maxTick)
	within(out, "quota.low", p.Quota.Low, 0, maxPlaces)
	within(out, "quota.high", p.Quota.High, 0, maxPlaces)

	// Zero of one class is a rule; zero of both can only be a slip.
	if p.Quota.Low == 0 && p.Quota.High == 0 {
		out.hint("quota", "keeps nothing", "give low or high at least one place; to stop containers for good use docker rm")
	}
	within(out, "warmup", p.Warmup, 0, maxWarmup)
}

func (p Policy) validateRanking(out *Problems) {
	want := []Key{KeyCPU, KeyRAM, KeyVSZ, KeyRSS}
	got := slices.Clone(p.Rank)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		out.hint("rank", fmt.Sprintf("%v does not name each measure once", p.Rank), "cpu, ram, vsz and rss in the order that counts")
	}

	// Values are divided by the width of a bucket.
	if p.Buckets.CPUMillicores == 0 {
		out.hint("buckets.cpu_millicores", "must be at least 1", "1 compares every milli-core, 10 is the default")
	}
	if p.Buckets.RAMKB == 0 {
		out.hint("buckets.ram_kb", "must be at least 1", "1 compares every KiB, 1024 is the default")
	}
}

func (p Policy) validateImages(out *Problems) {
	for _, image := range slices.Sorted(maps.Keys(p.Images)) {
		where := "images." + image
		if image == "" || strings.ContainsAny(image, " \t\n") {
			out.hint(where, "is not an image name", "repository or repository:tag")
		}
		oneOf(out, where, p.Images[image], ClassLow, ClassHigh)
	}
}

func (p Protect) validate(out *Problems) {
	for i, name := range p.Names {
		if name == "" || strings.ContainsAny(name, "/ \t\n*?") {
			out.hint(fmt.Sprintf("protect.names[%d]", i), fmt.Sprintf("%q is not a container name", name),
				"the exact name as docker ps shows it, without slash or wildcard")
		}
	}

	for i, label := range p.Labels {
		key, _, _ := strings.Cut(label, "=")
		if key == "" || strings.ContainsAny(key, " \t\n*?") {
			out.hint(fmt.Sprintf("protect.labels[%d]", i), fmt.Sprintf("%q is not a label", label), "key or key=value")
		}
		if key == LabelManaged {
			out.hint(fmt.Sprintf("protect.labels[%d]", i), "protects everything that is owned", "use mode: observe to leave all alone")
		}
	}
}

func (c Caps) validate(out *Problems) {
	atLeast(out, "caps.per_tick", c.PerTick, 1, "to remove nothing use mode: observe")
	atLeast(out, "caps.per_minute", c.PerMinute, 1, "to remove nothing use mode: observe")
	if c.PerTick > c.PerMinute {
		out.hint("caps.per_tick", fmt.Sprintf("%d is more than caps.per_minute %d", c.PerTick, c.PerMinute), "raise per_minute or lower per_tick")
	}
	within(out, "caps.max_plan_percent", c.MaxPlanPercent, 1, 100)
}

func (g Gates) validate(out *Problems) {
	within(out, "gates.max_bad_rows_percent", g.MaxBadRowsPercent, 0, 100)
	within(out, "gates.min_interval_percent", g.MinIntervalPercent, 1, 100)
	within(out, "gates.max_interval_percent", g.MaxIntervalPercent, 100, 10_000)
	within(out, "gates.settle", time.Duration(g.Settle), 0, maxTick)

	atLeast(out, "gates.degraded_after", g.DegradedAfter, 1, "ticks in a row")
	if g.AlarmAfter < g.DegradedAfter {
		out.hint("gates.alarm_after", fmt.Sprintf("%d comes before gates.degraded_after %d", g.AlarmAfter, g.DegradedAfter), "an alarm is the later step")
	}
}

func (a Act) validate(out *Problems) {
	a.validateLadder(out)
	within(out, "act.grace", time.Duration(a.Grace), 0, maxGrace)
	within(out, "act.deadline", time.Duration(a.Deadline), minDeadline, maxDeadline)
	within(out, "act.parallel", a.Parallel, 1, maxParallel)
	atLeast(out, "act.stuck_after", a.StuckAfter, 1, "failures in a row")
	atLeast(out, "act.breaker_after", a.BreakerAfter, 1, "engine errors in a row")
	atLeast(out, "act.futile_after", a.FutileAfter, 1, "returns of the same name")
}

func (a Act) validateLadder(out *Problems) {
	order := []Rung{RungThrottle, RungStop, RungKill, RungRemove}
	last := -1 // place in the order of the rung before
	for i, rung := range a.Ladder {
		where := fmt.Sprintf("act.ladder[%d]", i)
		at := slices.Index(order, rung)

		switch {
		case at < 0:
			oneOf(out, where, rung, order...)

		case at <= last:
			out.hint(where, fmt.Sprintf("%q stands after %q", rung, order[last]), "the order is throttle, stop, kill, remove, each at most once")

		default:
			last = at
		}
	}

	if n := len(a.Ladder); n == 0 || a.Ladder[n-1] != RungRemove {
		out.hint("act.ladder", "does not end with remove", "a stopped container still holds its name and its disk")
	}
	if !slices.Contains(a.Ladder, RungStop) && !slices.Contains(a.Ladder, RungKill) {
		out.hint("act.ladder", "has neither stop nor kill", "a running container cannot be removed; [kill, remove] is the default")
	}

	if slices.Contains(a.Ladder, RungThrottle) {
		atLeast(out, "act.throttle_millicores", a.ThrottleMillicores, minThrottleMC, "the kernel's smallest quota")
		atLeast(out, "act.throttle_ticks", a.ThrottleTicks, 1, "ticks on the throttle rung")
	}
}
