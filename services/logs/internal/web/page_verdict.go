package web

import (
	"fmt"
	"strings"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/chart"
)

// verdict is the page's first line: is the host within its policy?
type verdict struct {
	// State is within, over, short, holding, stale or empty: it chooses colour and shape.
	State    string
	Headline string
	Detail   string
	Classes  []classMeter
}

// classMeter is one class against its places.
type classMeter struct {
	Class        contract.Class
	Owned, Quota int
	// Pips are the containers one by one, at most maxPips: held places, those above, and empty places.
	Pips []string
	More int
}

const maxPips = 24

// staleAfter is three ticks: one may be late, two missed, three are silence. A tick is as long as the last one was, at
// least the default policy's and at most ten minutes, since the last one may have been a restart.
func staleAfter(beat time.Duration) time.Duration {
	return 3 * min(max(beat, time.Duration(contract.DefaultPolicy().Tick)), 10*time.Minute)
}

func judge(p present) verdict {
	if p.Last.IsZero() {
		return verdict{
			State: "empty", Headline: "No records yet",
			Detail: "The first ones come within a tick (10 s) of the manager's start. Nothing after a minute? See docker compose logs manager.",
		}
	}
	v := verdict{Classes: meters(p.Host)}
	over, next, short := tally(p.Host)
	switch {
	case p.Age > staleAfter(p.Beat):
		v.State = "stale"
		v.Headline = "No news for " + chart.FormatDuration(p.Age)
		v.Detail = "What follows is the last known state: " + held(p.Host) + ". Is the manager running? See docker compose ps."
	case len(p.Host.Gates) > 0 && len(p.Host.Classes) == 0: // no reading, so no plan
		v.State = "holding"
		v.Headline = "Holding: the manager only observes"
		v.Detail = "Nothing is removed while a gate is closed: " + strings.Join(p.Host.Gates, ", ") + "."
	case len(p.Host.Classes) == 0: // records of the host or its containers, as any client may send them
		v.State = "empty"
		v.Headline = "Waiting for the manager's first tick"
		v.Detail = "Records arrive, but none of them says what the policy decided. Is the manager running? See docker compose ps."
	case len(p.Host.Gates) > 0 && over > 0:
		v.State = "holding"
		v.Headline = "Over, and holding: " + held(p.Host)
		v.Detail = "The manager only observes now: " + strings.Join(p.Host.Gates, ", ") + "."
	case over > 0:
		v.State = "over"
		v.Headline = "Over: " + held(p.Host)
		v.Detail = coming(p.Host, next)
	case len(short) > 0:
		v.State = "short"
		v.Headline = "Within policy, but short: " + held(p.Host)
		v.Detail = "Places nobody holds: " + strings.Join(short, ", ") + ". The manager never starts containers; the generator's next batch may fill them."
	default:
		v.State = "within"
		v.Headline = "Within policy: " + held(p.Host)
		v.Detail = "Nothing to remove."
	}
	if p.Host.Mode == contract.ModeObserve || p.Host.Mode == contract.ModeShadow {
		v.Detail += " Mode " + string(p.Host.Mode) + ": no container is touched."
	}
	return v
}

// tally counts who stands above the places after this tick's removals (over), how many the next tick removes, and which
// classes have empty places.
func tally(h contract.HostBody) (over, next int, short []string) {
	for _, c := range h.Classes {
		if c.Class != contract.ClassLow && c.Class != contract.ClassHigh {
			continue
		}
		left := c.Owned - c.Removals
		over += max(0, left-c.Quota) + c.Removals
		next += max(0, left-c.Quota)
		if left < c.Quota {
			short = append(short, fmt.Sprintf("%d of %d %s", c.Quota-left, c.Quota, c.Class))
		}
	}
	return over, next, short
}

// held is the population in words: "3 low, 2 high".
func held(h contract.HostBody) string {
	var parts []string
	for _, c := range h.Classes {
		if c.Class == contract.ClassUnknown && c.Owned == 0 {
			continue
		}
		parts = append(parts, fmt.Sprintf("%d %s", c.Owned, c.Class))
	}
	if len(parts) == 0 {
		return "no governed container"
	}
	return strings.Join(parts, ", ")
}

// coming says what this tick does and what the next one will.
func coming(h contract.HostBody, next int) string {
	now := 0
	for _, c := range h.Classes {
		now += c.Removals
	}
	var parts []string
	if now > 0 {
		parts = append(parts, fmt.Sprintf("this tick removes %d", now))
	}
	if next > 0 {
		parts = append(parts, fmt.Sprintf("the next tick removes %d, once all are judged", next))
	}
	text := strings.Join(parts, "; ")
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

func meters(h contract.HostBody) []classMeter {
	var out []classMeter
	for _, c := range h.Classes {
		if c.Class != contract.ClassLow && c.Class != contract.ClassHigh {
			continue
		}
		m := classMeter{Class: c.Class, Owned: c.Owned, Quota: c.Quota}
		for i := range max(c.Owned, c.Quota) {
			if len(m.Pips) == maxPips {
				m.More = max(c.Owned, c.Quota) - maxPips
				break
			}
			switch {
			case i >= c.Owned:
				m.Pips = append(m.Pips, "empty")
			case i >= c.Quota:
				m.Pips = append(m.Pips, "above")
			default:
				m.Pips = append(m.Pips, "held")
			}
		}
		out = append(out, m)
	}
	return out
}
