package contract

import (
	"strings"
	"testing"
	"time"
)

func TestDefaultPolicyIsValid(t *testing.T) {
	if problems := DefaultPolicy().Validate(); problems != nil {
		t.Fatal(problems)
	}
}

func TestPolicyValidateNamesTheField(t *testing.T) {
	cases := []struct {
		where string
		spoil func(*Policy)
	}{
		{"version", func(p *Policy) { p.Version = 2 }},
		{"mode", func(p *Policy) { p.Mode = "enforced" }},
		{"classify", func(p *Policy) { p.Classify = "" }},
		{"tick", func(p *Policy) { p.Tick = Duration(time.Millisecond) }},
		{"quota.low", func(p *Policy) { p.Quota.Low = -1 }},
		{"quota.high", func(p *Policy) { p.Quota.High = maxPlaces + 1 }},
		{"quota", func(p *Policy) { p.Quota = Quota{} }},
		{"warmup", func(p *Policy) { p.Warmup = -1 }},
		{"rank", func(p *Policy) { p.Rank = []Key{KeyCPU, KeyCPU, KeyVSZ, KeyRSS} }},
		{"rank", func(p *Policy) { p.Rank = []Key{KeyCPU, KeyRAM, KeyVSZ} }},
		{"rank", func(p *Policy) { p.Rank = []Key{KeyCPU, KeyRAM, KeyVSZ, KeyAge} }},
		{"buckets.cpu_millicores", func(p *Policy) { p.Buckets.CPUMillicores = 0 }},
		{"buckets.ram_kb", func(p *Policy) { p.Buckets.RAMKB = 0 }},
		{"images.alto_1", func(p *Policy) { p.Images = map[string]Class{"alto_1": ClassUnknown} }},
		{"images.a b", func(p *Policy) { p.Images = map[string]Class{"a b": ClassLow} }},
		{"protect.names[1]", func(p *Policy) { p.Protect.Names = []string{"db", "/db"} }},
		{"protect.labels[0]", func(p *Policy) { p.Protect.Labels = []string{"=x"} }},
		{"protect.labels[0]", func(p *Policy) { p.Protect.Labels = []string{LabelManaged + "=true"} }},
		{"caps.per_tick", func(p *Policy) { p.Caps.PerTick = 0 }},
		{"caps.per_tick", func(p *Policy) { p.Caps.PerTick = 61 }},
		{"caps.per_minute", func(p *Policy) { p.Caps = Caps{PerTick: 0, PerMinute: 0, MaxPlanPercent: 90} }},
		{"caps.max_plan_percent", func(p *Policy) { p.Caps.MaxPlanPercent = 101 }},
		{"young.max", func(p *Policy) { p.Young.Max = 0 }},
		{"gates.max_bad_rows_percent", func(p *Policy) { p.Gates.MaxBadRowsPercent = 101 }},
		{"gates.min_interval_percent", func(p *Policy) { p.Gates.MinIntervalPercent = 0 }},
		{"gates.max_interval_percent", func(p *Policy) { p.Gates.MaxIntervalPercent = 99 }},
		{"gates.settle", func(p *Policy) { p.Gates.Settle = -1 }},
		{"gates.degraded_after", func(p *Policy) { p.Gates.DegradedAfter = 0 }},
		{"gates.alarm_after", func(p *Policy) { p.Gates.AlarmAfter = 2 }},
		{"act.ladder", func(p *Policy) { p.Act.Ladder = nil }},
		{"act.ladder", func(p *Policy) { p.Act.Ladder = []Rung{RungRemove} }},
		{"act.ladder[1]", func(p *Policy) { p.Act.Ladder = []Rung{RungKill, RungStop, RungRemove} }},
		{"act.ladder[0]", func(p *Policy) { p.Act.Ladder = []Rung{"pause", RungKill, RungRemove} }},
		{"act.grace", func(p *Policy) { p.Act.Grace = Duration(maxGrace + 1) }},
		{"act.grace", func(p *Policy) { p.Act.Grace = -1 }},
		{"act.throttle_millicores", func(p *Policy) {
			p.Act.Ladder, p.Act.ThrottleMillicores = []Rung{RungThrottle, RungKill, RungRemove}, 0
		}},
		{"act.deadline", func(p *Policy) { p.Act.Deadline = 0 }},
		{"act.parallel", func(p *Policy) { p.Act.Parallel = 0 }},
		{"act.stuck_after", func(p *Policy) { p.Act.StuckAfter = 0 }},
		{"act.breaker_after", func(p *Policy) { p.Act.BreakerAfter = 0 }},
		{"act.futile_after", func(p *Policy) { p.Act.FutileAfter = 0 }},
	}
	for _, c := range cases {
		t.Run(c.where, func(t *testing.T) {
			p := DefaultPolicy()
			c.spoil(&p)
			if !names(p.Validate(), c.where) {
				t.Fatalf("no problem at %s: %v", c.where, p.Validate())
			}
		})
	}
}

func names(problems Problems, where string) bool {
	for _, p := range problems {
		if p.Where == where {
			return true
		}
	}
	return false
}

// A stop waits for the container's own time: neither a grace of nothing nor a deadline that is shorter takes any from it.
func TestAStopHasItsTimeWhateverGraceAndDeadline(t *testing.T) {
	for _, grace := range []time.Duration{0, time.Millisecond, maxGrace} {
		p := DefaultPolicy()
		p.Act.Ladder, p.Act.Grace, p.Act.Deadline = []Rung{RungStop, RungRemove}, Duration(grace), Duration(minDeadline)
		if problems := p.Validate(); problems != nil {
			t.Errorf("grace %s: %v", grace, problems)
		}
	}
}

func TestPolicyValidateReportsEverythingAtOnce(t *testing.T) {
	problems := (Policy{}).Validate()
	if len(problems) < 15 {
		t.Fatalf("only %d problems of an empty policy: %v", len(problems), problems)
	}
	for _, p := range problems {
		if p.Hint == "" {
			t.Errorf("no hint: %v", p)
		}
	}
}

func TestPolicyHashTellsPoliciesApart(t *testing.T) {
	a, b := DefaultPolicy(), DefaultPolicy()
	if a.Hash() != b.Hash() || len(a.Hash()) != policyHashDigits || strings.Trim(a.Hash(), "0123456789abcdef") != "" {
		t.Fatalf("hash of equal policies: %q and %q", a.Hash(), b.Hash())
	}
	b.Quota.Low++
	if a.Hash() == b.Hash() {
		t.Fatal("another quota, the same hash")
	}
}
