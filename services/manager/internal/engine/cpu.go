package engine

import (
	"cmp"
	"context"
	"slices"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
)

// CPULimit is a container's CPU bandwidth limit as the engine keeps it: either NanoCPUs (--cpus) or a quota per period
// (--cpu-quota). The zero value is no limit. Docker refuses to change one form into the other.
type CPULimit struct {
	NanoCPUs int64 `json:"nano_cpus,omitempty"` // 1e9 = one core
	QuotaUS  int64 `json:"quota_us,omitempty"`
	PeriodUS int64 `json:"period_us,omitempty"`
}

// cpuLimitOf reads the limit of an inspection. Docker sets one of the two forms. Podman keeps the quota alone, shows
// NanoCPUs made of it beside it (-10000 for no limit), and does not read NanoCPUs when a limit is changed: of both the
// quota is the limit.
func cpuLimitOf(r container.Resources) CPULimit {
	return CPULimit{NanoCPUs: r.NanoCPUs, QuotaUS: r.CPUQuota, PeriodUS: r.CPUPeriod}.canonical()
}

// canonical leaves NanoCPUs out where there is a quota.
func (l CPULimit) canonical() CPULimit {
	if l.QuotaUS != 0 {
		l.NanoCPUs = 0
	}
	return l
}

// The kernel's default bandwidth period and the least quota it takes
// (https://docs.kernel.org/scheduler/sched-bwc.html).
const (
	defaultPeriodUS = 100_000
	minQuotaUS      = 1_000
)

// Unlimited as a quota lifts the limit; zero would mean "leave it as it is" to the engine.
const unlimitedQuota = -1

// Throttled returns the limit of the same form that holds the container to the given share of a core
// (1000 millicores = one core). It never raises an existing limit.
func (l CPULimit) Throttled(millicores uint64) CPULimit {
	const nanoPerMilli = 1_000_000
	return l.LoweredTo(int64(min(millicores, maxNanoCPUs/nanoPerMilli)) * nanoPerMilli) //nolint:gosec // bounded on the same line
}

// maxNanoCPUs is a thousand cores: more than any host has, and little enough to be counted with.
const maxNanoCPUs = 1_000_000_000_000

// LoweredTo returns the limit of the same form that holds the container to so many billionths of a core, or to the least that
// engine and kernel take. It never raises an existing limit.
func (l CPULimit) LoweredTo(nanoCPUs int64) CPULimit {
	l = l.canonical()
	want := min(nanoCPUs, maxNanoCPUs)
	if l.NanoCPUs > 0 {
		return CPULimit{NanoCPUs: min(l.NanoCPUs, max(want, minNanoCPUs))}
	}

	// A kernel that is given less than its least quota refuses it.
	quota := max(want*l.period()/1_000_000_000, minQuotaUS)
	if l.QuotaUS > 0 {
		quota = min(quota, l.QuotaUS)
	}
	return CPULimit{QuotaUS: quota, PeriodUS: l.PeriodUS}
}

// minNanoCPUs is the least that Docker takes for --cpus.
const minNanoCPUs = 10_000_000

// period is the bandwidth period that counts.
func (l CPULimit) period() int64 {
	if l.PeriodUS <= 0 {
		return defaultPeriodUS
	}
	return l.PeriodUS
}

// Same says whether two limits are one and the same: no limit, the same NanoCPUs, or the same quota per the same period, however
// the engine tells it. Two that allow as much in another form are not: who has set the one has not set the other.
func (l CPULimit) Same(other CPULimit) bool { return l.normal() == other.normal() }

// normal is the limit as it is compared: without what the engine fills in.
func (l CPULimit) normal() CPULimit {
	switch l = l.canonical(); {
	case l.QuotaUS > 0:
		return CPULimit{QuotaUS: l.QuotaUS, PeriodUS: l.period()}
	case l.NanoCPUs > 0:
		return CPULimit{NanoCPUs: l.NanoCPUs}
	default:
		return CPULimit{}
	}
}

// Equal says whether two limits, in whatever form, allow as much. Engines may round by a little.
func (l CPULimit) Equal(other CPULimit) bool {
	a, b := l.Share(), other.Share()
	return a == b || a > 0 && b > 0 && max(a, b)-min(a, b) <= max(a, b)/100
}

// Share is the limit in billionths of a core, 0 for none.
func (l CPULimit) Share() int64 {
	l = l.canonical()
	if l.QuotaUS > 0 {
		return l.QuotaUS * 1_000_000 / cmp.Or(l.PeriodUS, defaultPeriodUS) * 1000
	}
	return max(0, l.NanoCPUs)
}

// SetCPU gives the container the limit; the zero value lifts a quota set by Throttled.
func (c *Client) SetCPU(ctx context.Context, id string, limit CPULimit) error {
	api := c.api.Load()
	change := container.UpdateConfig{Resources: limit.resources()}

	// Where an update takes the restart policy away it is read first and sent along.
	if dropsRestartPolicy(ctx, api.Client) {
		raw, err := api.ContainerInspect(ctx, id)
		if err != nil {
			return c.wrap("update", id, err)
		}
		if raw.HostConfig != nil && !raw.HostConfig.RestartPolicy.IsNone() { // "no" is not worth a conflict with --rm
			change.RestartPolicy = raw.HostConfig.RestartPolicy
		}
	}

	_, err := api.ContainerUpdate(ctx, id, change)
	return c.wrap("update", id, err)
}

// dropsRestartPolicy says that the engine takes an update without a restart policy for one to none. Podman does; Docker
// takes it for "as it is", and is sent none: one that was read before would undo what somebody changes meanwhile. An
// engine that does not say what it is may be either.
func dropsRestartPolicy(ctx context.Context, api *client.Client) bool {
	version, err := api.ServerVersion(ctx)
	return err != nil || slices.ContainsFunc(version.Components, func(c types.ComponentVersion) bool { return c.Name == "Podman Engine" })
}

// resources is the limit in an update.
func (l CPULimit) resources() container.Resources {
	l = l.canonical() // a journal of an earlier release may hold both
	r := container.Resources{NanoCPUs: l.NanoCPUs, CPUQuota: l.QuotaUS, CPUPeriod: l.PeriodUS}

	// Zeros mean "leave it as it is" to the engine: no limit has to be said.
	if l.NanoCPUs == 0 && l.QuotaUS == 0 {
		r.CPUQuota = unlimitedQuota
	}
	return r
}
