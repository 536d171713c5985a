package page

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/chart"
	"gestor.local/logs/internal/query"
)

// alert is a system event that an operator should see.
type alert struct {
	contract.SystemBody
	Time time.Time
	// Elsewhere is the host when that is not the one that is shown.
	Elsewhere string
}

// ongoing says whether the alert began something that has an end, so that it holds until the end is recorded.
func (a alert) ongoing() bool {
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

// producerKey is who records conditions: those of one host are not another's, also where both have the same name.
type producerKey struct{ host, producer string }

// conditionKey is what an event begins or ends: a condition or a gate of a producer.
type conditionKey struct {
	producerKey
	kind, name string // kind is condition or gate
}

// conditionOf is what an event is about, and how that changes: begin, alarm or end.
func conditionOf(s producerKey, b contract.SystemBody) (m conditionKey, change string) {
	kind, change, _ := strings.Cut(b.Event, "_")
	name, _ := b.Details[kind].(string)
	return conditionKey{s, kind, name}, change
}

// endedConditions is, on the way back in time, which conditions have ended: what began before that is no news.
type endedConditions struct {
	started map[producerKey]bool
	past    map[conditionKey]bool
}

func newEndedConditions() endedConditions {
	return endedConditions{map[producerKey]bool{}, map[conditionKey]bool{}}
}

// observe takes in an event and says whether it is of a condition that has ended. A producer that started again has none of
// before.
func (e endedConditions) observe(s producerKey, b contract.SystemBody) bool {
	m, change := conditionOf(s, b)
	switch {
	case b.Event == "policy_rejected":
		return true // the condition policy_refused says it, for as long as it is so
	case b.Event == "start":
		e.started[s] = true
	case change == "end":
		e.past[m] = true
	case change == "begin" || change == "alarm":
		return e.past[m] || e.started[s]
	}
	return false
}

// readAlerts gathers the warnings of the last half hour, and the conditions that still stand however long ago they began and
// on whichever host: a condition is never silent. It asks for one kind alone, of which there are few records, so that a busy
// store's decisions do not hide what began before them.
func (p *pageData) readAlerts(ctx context.Context, from RecordSource) error {
	scanned, shown := 0, map[bool]int{} // of the standing, by whether they are of this host
	over, standing := newEndedConditions(), map[conditionKey]bool{}

	f := contract.Filter{Kinds: []contract.Kind{contract.KindSystem}}
	return from.Scan(ctx, f, query.Newest, func(r contract.Record) error {
		if scanned++; scanned > maxScanned {
			return query.ErrStop
		}
		b, ok := r.Body.(contract.SystemBody)
		if !ok {
			return nil
		}

		here, producer := p.isShown(r), producerKey{r.Host, r.Producer}
		if here {
			p.noteManagerState(r, b)
		}
		if over.observe(producer, b) || b.Level == contract.LevelInfo {
			return nil
		}

		a := alert{SystemBody: b, Time: r.Time.UTC()}
		if !here {
			a.Elsewhere = r.Host
		}

		// Read backwards, the first event of a condition is its newest: an alarm says more than the begin before it.
		key, _ := conditionOf(producer, b)
		switch {
		case a.ongoing() && !standing[key] && shown[here] < standingAlerts:
			standing[key] = true
			shown[here]++
		case !a.ongoing() && here && len(p.Alerts)-len(standing) < recentAlerts && p.At.Sub(r.Time) <= alertWindow:
		default:
			return nil
		}
		p.Alerts = append(p.Alerts, a)
		return nil
	})
}

// addOwnConditions puts what is not as it should be with the log service itself before the alerts, in place of the
// events that say the same.
func (p *pageData) addOwnConditions(conditions map[string]string) {
	texts := slices.Collect(maps.Values(conditions))
	p.Alerts = slices.DeleteFunc(p.Alerts, func(a alert) bool {
		_, named := conditions[a.Event]
		return named || slices.ContainsFunc(texts, func(text string) bool { return a.Message != "" && strings.HasPrefix(text, a.Message) })
	})

	own := make([]alert, 0, len(conditions))
	for _, name := range slices.Sorted(maps.Keys(conditions)) {
		own = append(own, alert{SystemBody: contract.SystemBody{Event: name, Level: contract.LevelWarn, Message: conditions[name]}})
	}
	p.Alerts = append(own, p.Alerts...)
}

// isShown says whether an event is of the host that is shown, or of the log service that all hosts share.
func (p *pageData) isShown(r contract.Record) bool {
	return r.Host == p.HostID || r.Producer == contract.ProducerLogs || p.HostID == ""
}

// noteManagerState takes the manager's newest record of itself: that it ended, unless it ticked or started since.
func (p *pageData) noteManagerState(r contract.Record, b contract.SystemBody) {
	if p.managerSeen || r.Producer != contract.ProducerManager || b.Event != "start" && b.Event != "stop" {
		return
	}
	p.managerSeen = true
	if b.Event == "stop" && !r.Time.Before(p.Last) {
		p.Stopped = r.Time
		if b.Level != contract.LevelInfo {
			p.StopReason = chart.SanitizeText(b.Message, 200)
		}
	}
}
