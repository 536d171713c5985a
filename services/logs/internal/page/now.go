package page

import (
	"cmp"
	"context"
	"slices"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/chart"
	"gestor.local/logs/internal/query"
)

// pageData is what the page says about this moment of one host.
type pageData struct {
	At time.Time
	// Last is the time of the host's newest observation, zero when there is none; AsOf that of the newest word on who lives,
	// and Seen that of the tick whose rows are shown.
	Last, AsOf, Seen time.Time
	Age              time.Duration
	TickInterval     time.Duration // between the newest tick and the one before, 0 when there is none
	Due              time.Time     // of the next planned end, zero when none is known
	Stopped          time.Time     // of the manager, zero while it runs
	StopReason       string
	Source           string
	HostID           string
	Hosts            []hostSummary // all of them, when there are several
	Host             contract.HostBody
	Rows             []containerRow
	Classes          []classSummary
	Alive            int
	RAMKB            uint64 // of all governed ones
	Others           int    // containers of the host that Gestor does not own
	Recent           []decisionRow
	Alerts           []alert
	Verdict          verdict
	Policy           policyLine
	Images           []string

	managerSeen bool                 // the manager's newest start or stop was seen
	plannedEnds map[string]time.Time // by container: when it was started to end by itself
}

// decisionRow is one removal with its reason.
type decisionRow struct {
	contract.DecisionBody
	Time   time.Time
	Seq    uint64
	Tick   uint64
	HostID string
}

// Bounds of what the page reads beside the charts.
const (
	recentDecisions = 12
	recentAlerts    = 4  // events that passed; what still stands is shown besides
	standingAlerts  = 32 // more than there are conditions, so that a stranger's records cannot fill the page
	alertWindow     = 30 * time.Minute
	maxScanned      = 20_000 // records, so that a store without decisions is not read to its beginning
)

// readPageData gathers the state of one host: the one asked for, or that which defaultHost names.
func readPageData(ctx context.Context, from RecordSource, host string) (pageData, error) {
	p := pageData{At: from.Now(), HostID: host, plannedEnds: map[string]time.Time{}}
	hosts, err := readHosts(ctx, from)
	if err != nil {
		return p, err
	}

	if host == "" {
		p.HostID = defaultHost(hosts)
	}
	if len(hosts) > 1 || len(hosts) == 1 && hosts[0].Name != p.HostID {
		p.Hosts = hosts
	}

	// In this order: who lives depends on the planned ends that the launches name, and whether the manager has stopped on the
	// time of its last tick.
	if err := p.readEvents(ctx, from); err != nil {
		return p, err
	}
	if err := p.readTick(ctx, from); err != nil {
		return p, err
	}
	if err := p.readAlerts(ctx, from); err != nil {
		return p, err
	}

	if !p.Last.IsZero() {
		p.Age = max(0, p.At.Sub(p.Last))
	}

	// What awaits a container is said otherwise where the verdict does not know this moment.
	p.Verdict = verdictOf(p)
	p.Policy = policyLineOf(p)
	p.completeRows()
	return p, nil
}

// readTick takes in the host's newest tick, and what has changed since.
func (p *pageData) readTick(ctx context.Context, from RecordSource) error {
	if p.HostID == "" {
		return nil
	}

	t, err := readTicks(ctx, from, p.HostID)
	if err != nil {
		return err
	}

	// Where no tick has a host record (containers alone, as POST /logs makes them), the newest group is shown.
	newest := t.newest
	if newest == nil {
		newest = t.withoutHost
	}
	if newest == nil {
		return nil
	}

	p.Last, p.Source = newest.Time, newest.Source
	if newest.Host != nil {
		p.Host = *newest.Host
	}
	if t.previous != nil {
		p.TickInterval = newest.Time.Sub(t.previous.Time)
	}

	// The rows are of the newest tick that saw the containers, which a closed gate may have put behind the newest one.
	places := p.Host
	if seen := t.shownTick(); seen != nil {
		p.Seen, p.Others = seen.Time, seen.Others
		if !places.Planned() && seen.Host != nil { // a tick without a plan has none
			places = *seen.Host
		}
	}

	p.Rows, p.AsOf = t.liveRows(p.At, p.plannedEnds)
	p.Classes = summarize(p.Rows, places)

	for _, c := range p.Classes {
		p.Alive += c.Alive
	}

	for _, r := range p.Rows {
		p.RAMKB += r.RAMKB
		if at := p.plannedEnds[r.Container]; at.After(p.At) && (p.Due.IsZero() || at.Before(p.Due)) {
			p.Due = at
		}
	}
	return nil
}

// maxImages is how many images the selection offers, maxLifetimeS how far ahead an end may be planned: a launch is any
// client's word.
const (
	maxImages    = 64
	maxLifetimeS = 366 * 24 * 3600
)

// readEvents gathers the last removals, and from the starts the images that the selection offers and the planned ends.
func (p *pageData) readEvents(ctx context.Context, from RecordSource) error {
	scanned := 0
	err := from.Scan(ctx, contract.Filter{Kinds: []contract.Kind{contract.KindDecision}}, query.Newest, func(r contract.Record) error {
		if scanned++; scanned > maxScanned || len(p.Recent) >= recentDecisions {
			return query.ErrStop
		}
		if b, ok := r.Body.(contract.DecisionBody); ok && b.Verdict == contract.VerdictRemove {
			p.Recent = append(p.Recent, decisionRow{DecisionBody: b, Time: r.Time.UTC(), Seq: r.Seq, Tick: r.Tick, HostID: r.Host})
		}
		return nil
	})
	if err != nil {
		return err
	}

	scanned = 0
	f := contract.Filter{Kinds: []contract.Kind{contract.KindLaunch}, Since: p.At.Add(-alertWindow)}
	return from.Scan(ctx, f, query.Newest, func(r contract.Record) error {
		if scanned++; scanned > maxScanned {
			return query.ErrStop
		}
		if b, ok := r.Body.(contract.LaunchBody); ok {
			p.addLaunch(r, b)
		}
		return nil
	})
}

// addLaunch takes from a launch an image that the selection offers, and the end that was planned with it.
func (p *pageData) addLaunch(r contract.Record, b contract.LaunchBody) {
	if image := chart.ShortImage(b.Image); image != "" && len(p.Images) < maxImages && !slices.Contains(p.Images, image) {
		p.Images = append(p.Images, image)
	}
	if b.Outcome == contract.LaunchStarted && b.LifetimeS > 0 && b.LifetimeS < maxLifetimeS {
		p.plannedEnds[b.Container] = r.Time.Add(time.Duration(b.LifetimeS) * time.Second) //nolint:gosec // bounded
	}
}

// completeRows orders the table (class, then rank, the unranked last), says what awaits each container, and offers its image.
func (p *pageData) completeRows() {
	cpu, ram := uint64(1), uint64(1)
	for _, r := range p.Rows {
		cpu, ram = max(cpu, r.CPUMillicores), max(ram, r.RAMKB)
	}

	// The bars are drawn against the greatest of the table, and what comes next depends on the verdict.
	for i := range p.Rows {
		r := &p.Rows[i]
		r.BarCPU, r.BarRAM = int(r.CPUMillicores*100/cpu), int(r.RAMKB*100/ram)
		r.NextAction, r.NextClass = nextAction(*r, p)
	}

	for _, r := range p.Rows {
		if image := chart.ShortImage(r.Image); image != "" && !slices.Contains(p.Images, image) {
			p.Images = append(p.Images, image)
		}
	}

	slices.Sort(p.Images)
	slices.SortFunc(p.Rows, func(a, b containerRow) int {
		return cmp.Or(cmp.Compare(classOrder(a.Class), classOrder(b.Class)), cmp.Compare(rankOrder(a.Rank), rankOrder(b.Rank)),
			cmp.Compare(b.AgeUS, a.AgeUS), cmp.Compare(a.Container, b.Container))
	})
}

func classOrder(c contract.Class) int {
	return slices.Index([]contract.Class{contract.ClassLow, contract.ClassHigh}, c) & 3 // -1, the unknown, becomes 3
}

func rankOrder(rank int) int {
	if rank == 0 {
		return 1 << 30
	}
	return rank
}

// nextAction says what the last plan decided on a container and what comes next. Where nothing is known of this moment
// it says what was to come.
func nextAction(r containerRow, p *pageData) (text, class string) {
	known := p.Verdict.Known()
	if r.Step != "" && known && r.alive() && r.status != statusFailed && r.Reason != contract.ReasonLeaving {
		return ruledAction(r)
	}

	switch r.status {
	case statusEnded:
		return "ended", "kept"

	case statusFailed:
		return "could not be removed" + withColon(chart.SanitizeText(r.Error, 120)), "failed"

	case statusLeaving:
		if !known {
			return "was to leave", "leaving"
		}
		return "leaving" + withColon(leavingReason(r)), "leaving"

	case statusShadow:
		return "not acted on: " + chart.ReasonText(r.Reason), "next"

	case statusNew:
		switch {
		case !known:
			return "not judged", "young"
		case r.sinceTick:
			return "new: started since the last round", "young"
		case r.Reason == contract.ReasonUnmeasured:
			return chart.ReasonText(r.Reason), "young"
		}
		return "new: judged in the next round", "young"

	case statusKept:
		if r.Reason == contract.ReasonWithinQuota {
			return p.keptAction(r)
		}
	}

	return "kept" + withColon(chart.ReasonText(r.Reason)), "kept"
}

// ruledAction says what the rules of a policy of version 2 say of a container.
func ruledAction(r containerRow) (text, class string) {
	rule := ""
	if r.Rule != "" {
		rule = " (rule " + chart.Sanitize(r.Rule) + ")"
	}
	switch {
	case r.Step != "keep" && r.Held != "":
		return "not acted on: " + chart.Sanitize(r.Step) + rule, "next"
	case r.Step != "keep":
		return "due: " + chart.Sanitize(r.Step) + rule, "leaving"
	}

	text = "kept" + withColon(chart.ReasonText(r.Reason)) + rule
	if r.NextStep != "" {
		text += ", next: " + chart.Sanitize(r.NextStep) + " at " + r.NextAt.UTC().Format("2006-01-02 15:04Z")
	}
	return text, "kept"
}

func withColon(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

// leavingReason is why a container leaves, "" when only an earlier round knows.
func leavingReason(r containerRow) string {
	if r.Reason == contract.ReasonLeaving {
		return ""
	}
	return chart.ReasonText(r.Reason)
}

// holdsLastPlace says whether the container holds the last place while others wait for their judgement.
func (p *pageData) holdsLastPlace(r containerRow) bool {
	i := slices.IndexFunc(p.Classes, func(c classSummary) bool { return c.Class == r.Class })
	return i >= 0 && r.Rank > 0 && r.Rank == p.Classes[i].Quota && p.Classes[i].New > 0
}

// keptAction says what comes next for a container that holds a place.
func (p *pageData) keptAction(r containerRow) (text, class string) {
	if p.holdsLastPlace(r) {
		return "kept, last in line: next to go if a better one matures", "next"
	}
	return "kept", "kept"
}

// sortRanked puts the best rank first and the unranked last.
func sortRanked(rows []contract.ContainerBody) {
	slices.SortFunc(rows, func(a, b contract.ContainerBody) int {
		return cmp.Or(cmp.Compare(rankOrder(a.Rank), rankOrder(b.Rank)), cmp.Compare(b.AgeUS, a.AgeUS), cmp.Compare(a.Container, b.Container))
	})
}

// StaleAfter is how long the page waits for news before it says that it has none.
func (p pageData) StaleAfter() time.Duration { return staleAfter(p.TickInterval) }

// DueIn is the time to the next planned end.
func (p pageData) DueIn() time.Duration { return max(0, p.Due.Sub(p.At)) }

// Unseen says whether the manager does not see the containers: what is not known is not shown as nothing.
func (p pageData) Unseen() bool { return len(p.Host.Gates) > 0 && !p.Host.Planned() }

// Version2 says whether the newest plan is of a policy of version 2 whose rules do not just give classes their places: such a policy
// is shown as one of version 1.
func (p pageData) Version2() bool { return p.Host.Own != nil && len(p.Host.Classes) == 0 }

// Observed says whether such a plan is only shown, and why is Host.WhyHeld.
func (p pageData) Observed() bool { return p.Version2() && p.Host.WhyHeld() != "" }
