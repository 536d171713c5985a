package web

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/chart"
	"gestor.local/logs/internal/query"
)

// present is what the page says about this moment.
type present struct {
	At time.Time
	// Last is the time of the newest observation, zero when there is none.
	Last    time.Time
	Age     time.Duration
	Beat    time.Duration // between the newest tick and the one before, 0 when there is none
	Source  string
	HostID  string
	Host    contract.HostBody
	Rows    []rowNow
	Others  int // containers of the host that Gestor does not own
	Recent  []decisionRow
	Alerts  []alert
	Verdict verdict
	Images  []string
}

// rowNow is one owned container on the newest tick.
type rowNow struct {
	contract.ContainerBody
	Fate, FateClass string
	BarCPU, BarRAM  int // per cent of the greatest in the table
}

// decisionRow is one removal with its reason.
type decisionRow struct {
	contract.DecisionBody
	Time time.Time
	Seq  uint64
	Tick uint64
}

// alert is a system event that an operator should see.
type alert struct {
	contract.SystemBody
	Time     time.Time
	Producer string
}

// lasts says whether the alert began something that has an end, so that it holds until the end is recorded.
func (a alert) lasts() bool {
	_, change, _ := strings.Cut(a.Event, "_")
	return change == "begin" || change == "alarm"
}

// Name is what the alert is about: the condition or gate that began, as /conditions names it, or the event.
func (a alert) Name() string {
	what, change, _ := strings.Cut(a.Event, "_")
	if name, ok := a.Details[what].(string); ok && (change == "begin" || change == "alarm") {
		return name
	}
	return a.Event
}

// Bounds of what the page reads beside the charts.
const (
	recentDecisions = 12
	recentAlerts    = 4  // events that passed; what still stands is shown besides
	standingAlerts  = 32 // more than there are conditions, so that a stranger's records cannot fill the page
	alertWindow     = 30 * time.Minute
	lookBack        = 20_000 // records, so that a store without decisions is not read to its beginning
)

// readPresent gathers the newest tick, the last removals and the warnings.
func readPresent(ctx context.Context, from scanner) (present, error) {
	p := present{At: from.Now()}
	if err := p.readTick(ctx, from); err != nil {
		return p, err
	}
	if err := p.readEvents(ctx, from); err != nil {
		return p, err
	}
	if err := p.readAlerts(ctx, from); err != nil {
		return p, err
	}
	if !p.Last.IsZero() {
		p.Age = max(0, p.At.Sub(p.Last))
	}
	p.Verdict = judge(p)
	p.finish()
	return p, nil
}

// readTick collects the records of the newest tick of the newest observation's host. Where no host record is in reach
// (containers alone, as POST /logs makes them) it is the newest observation itself.
func (p *present) readTick(ctx context.Context, from scanner) error {
	var newest *contract.Record
	var first present // the newest group of records, which is shown when none has a host record
	f := contract.Filter{Kinds: []contract.Kind{contract.KindHost, contract.KindContainer}}
	haveHost, seen := false, 0
	err := from.Scan(ctx, f, query.Newest, func(r contract.Record) error {
		if seen++; seen > lookBack {
			return query.ErrStop
		}
		if newest == nil {
			newest = &r
			p.begin(r)
		}
		if r.Host != newest.Host || r.Boot != newest.Boot || r.Tick != newest.Tick || newest.Time.Sub(r.Time) > time.Minute {
			if haveHost {
				p.Beat = newest.Time.Sub(r.Time)
				return query.ErrStop
			}
			if first.Last.IsZero() {
				first = *p
			}
			newest = &r // a tick whose host record has not come yet: take the one before
			p.begin(r)
		}
		switch b := r.Body.(type) {
		case contract.HostBody:
			p.Host, haveHost = b, true
		case contract.ContainerBody:
			if b.Owned {
				p.Rows = append(p.Rows, rowNow{ContainerBody: b})
			} else {
				p.Others++
			}
		}
		return nil
	})
	if !haveHost && !first.Last.IsZero() {
		*p = first
	}
	return err
}

// begin starts a tick with its newest record.
func (p *present) begin(r contract.Record) {
	p.Last, p.Source, p.HostID = r.Time, r.Source, r.Host
	p.Rows, p.Others = nil, 0
}

// ended remembers, on the way back in time, which conditions are over: what began before that is no news.
type ended map[string]bool

// has takes in an event and says whether it tells of a condition that is over. A producer that started again has none of
// before.
func (e ended) has(producer string, b contract.SystemBody) bool {
	what, change, _ := strings.Cut(b.Event, "_")
	name, _ := b.Details[what].(string)
	start, condition := producer+" start", producer+" "+what+" "+name
	switch {
	case b.Event == "start":
		e[start] = true
	case change == "end":
		e[condition] = true
	case change == "begin" || change == "alarm":
		return e[condition] || e[start]
	}
	return false
}

// readAlerts gathers the warnings of the last half hour, and the conditions that still stand however long ago they
// began: a condition is never silent. It asks for one kind alone, of which there are few records, so that a busy store's
// decisions do not hide what began before them.
func (p *present) readAlerts(ctx context.Context, from scanner) error {
	seen := 0
	over, standing := ended{}, map[string]bool{}
	f := contract.Filter{Kinds: []contract.Kind{contract.KindSystem}}
	return from.Scan(ctx, f, query.Newest, func(r contract.Record) error {
		if seen++; seen > lookBack {
			return query.ErrStop
		}
		b, ok := r.Body.(contract.SystemBody)
		if !ok || over.has(r.Producer, b) || b.Level == "info" {
			return nil
		}
		a := alert{SystemBody: b, Time: r.Time.UTC(), Producer: r.Producer}
		about := a.Producer + " " + a.Name()
		switch {
		case a.lasts() && !standing[about] && len(standing) < standingAlerts: // the alarm says more than the begin before it
			standing[about] = true
		case !a.lasts() && len(p.Alerts)-len(standing) < recentAlerts && p.At.Sub(r.Time) <= alertWindow:
		default:
			return nil
		}
		p.Alerts = append(p.Alerts, a)
		return nil
	})
}

// readEvents gathers the last removals, and the images that the selection offers.
func (p *present) readEvents(ctx context.Context, from scanner) error {
	seen := 0
	images := map[string]bool{}
	f := contract.Filter{Kinds: []contract.Kind{contract.KindDecision, contract.KindLaunch}}
	err := from.Scan(ctx, f, query.Newest, func(r contract.Record) error {
		if seen++; seen > lookBack || len(p.Recent) >= recentDecisions && p.At.Sub(r.Time) > alertWindow {
			return query.ErrStop
		}
		switch b := r.Body.(type) {
		case contract.DecisionBody:
			if b.Verdict == contract.VerdictRemove && len(p.Recent) < recentDecisions {
				p.Recent = append(p.Recent, decisionRow{DecisionBody: b, Time: r.Time.UTC(), Seq: r.Seq, Tick: r.Tick})
			}
		case contract.LaunchBody:
			if b.Image != "" && len(images) < 64 {
				images[chart.ShortImage(b.Image)] = true
			}
		}
		return nil
	})
	for _, row := range p.Rows {
		images[chart.ShortImage(row.Image)] = true
	}
	for image := range images {
		if image != "" {
			p.Images = append(p.Images, image)
		}
	}
	slices.Sort(p.Images)
	return err
}

// finish orders the table (class, then rank, the unranked last) and says what awaits each container.
func (p *present) finish() {
	cpu, ram := uint64(1), uint64(1)
	for _, r := range p.Rows {
		cpu, ram = max(cpu, r.CPUMillicores), max(ram, r.RAMKB)
	}
	for i := range p.Rows {
		r := &p.Rows[i]
		r.BarCPU, r.BarRAM = int(r.CPUMillicores*100/cpu), int(r.RAMKB*100/ram)
		r.Fate, r.FateClass = fate(r.ContainerBody, p.Host)
	}
	slices.SortFunc(p.Rows, func(a, b rowNow) int {
		return cmp.Or(cmp.Compare(classOrder(a.Class), classOrder(b.Class)), cmp.Compare(unranked(a.Rank), unranked(b.Rank)),
			cmp.Compare(b.AgeUS, a.AgeUS), cmp.Compare(a.Container, b.Container))
	})
}

func classOrder(c contract.Class) int {
	return slices.Index([]contract.Class{contract.ClassLow, contract.ClassHigh}, c) & 3 // -1, the unknown, becomes 3
}

func unranked(rank int) int {
	if rank == 0 {
		return 1 << 30
	}
	return rank
}

// fate says what the last plan decided on a container and what comes next.
func fate(b contract.ContainerBody, h contract.HostBody) (text, class string) {
	switch {
	case b.Verdict == contract.VerdictRemove:
		return "leaving: " + chart.ReasonText(b.Reason), "leaving"
	case b.Reason == contract.ReasonYoung:
		return "young: judged on a coming tick", "young"
	case b.Reason == contract.ReasonWithinQuota && b.Rank > 0 && b.Rank == quota(h, b.Class) && young(h, b.Class) > 0:
		return "kept, last in line: next to go if a better one matures", "next"
	case b.Reason == contract.ReasonWithinQuota:
		return "kept", "kept"
	default:
		return "kept: " + chart.ReasonText(b.Reason), "kept"
	}
}

func quota(h contract.HostBody, c contract.Class) int {
	for _, k := range h.Classes {
		if k.Class == c {
			return k.Quota
		}
	}
	return 0
}

func young(h contract.HostBody, c contract.Class) int {
	for _, k := range h.Classes {
		if k.Class == c {
			return k.Owned - k.Eligible
		}
	}
	return 0
}

// sortRanked puts the best rank first and the unranked last.
func sortRanked(rows []contract.ContainerBody) {
	slices.SortFunc(rows, func(a, b contract.ContainerBody) int {
		return cmp.Or(cmp.Compare(unranked(a.Rank), unranked(b.Rank)), cmp.Compare(b.AgeUS, a.AgeUS), cmp.Compare(a.Container, b.Container))
	})
}
