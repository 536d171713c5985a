package chart

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/logs/internal/chart/charttest"
)

// tenMinutes is a run, changed record by record.
func tenMinutes(change func(*contract.Record)) []contract.Record {
	records := charttest.Run{Start: epoch(), Length: 10 * time.Minute, Seed: 4}.Records()
	for i := range records {
		change(&records[i])
	}
	return records
}

func inMode(mode contract.Mode, gates ...string) func(*contract.Record) {
	return func(r *contract.Record) {
		if b, ok := r.Body.(contract.HostBody); ok {
			b.Mode, b.Gates = mode, gates
			r.Body = b
		}
	}
}

// A newcomer that is given its time breaks no rule, and a rule that is kept is no settled host.
func TestObeyedAndSettledAreTwoFigures(t *testing.T) {
	failed := false
	for name, c := range map[string]struct {
		change func(*contract.Record)
		want   string
	}{
		"all is done":     {func(*contract.Record) {}, "The rule was obeyed on 60 of 60 rounds; the host was settled 3"},
		"one failed":      {func(r *contract.Record) { failed = failed || fail(r, contract.OutcomeFailed, contract.ActionRemove) }, "obeyed on 59 of 60 rounds"},
		"all are refused": {func(r *contract.Record) { fail(r, contract.OutcomeRefused, contract.ActionRemove) }, "obeyed on 60 of 60 rounds"},
		"shown alone":     {func(r *contract.Record) { fail(r, contract.OutcomeDone, contract.ActionShadowRemove) }, "obeyed on 40 of 60 rounds"},
		"observe":         {inMode(contract.ModeObserve), "obeyed on 40 of 60 rounds"},
		"gated":           {inMode(contract.ModeEnforce, "stale"), "obeyed on 40 of 60 rounds"},
	} {
		records := tenMinutes(c.change)
		if m := one(t, hour(records), records, "population"); !strings.Contains(m.Summary, c.want) {
			t.Errorf("%s: want %q in %s", name, c.want, m.Summary)
		}
	}
}

// fail gives the end of a removal another outcome, and says whether the record is one.
func fail(r *contract.Record, outcome, action string) bool {
	b, ok := r.Body.(contract.ActionBody)
	if !ok || b.Phase != contract.PhaseOutcome {
		return false
	}
	b.Outcome, b.Action = outcome, action
	r.Body = b
	return true
}

func TestNoClassIsDroppedInSilence(t *testing.T) {
	records := tenMinutes(func(r *contract.Record) {
		switch b := r.Body.(type) {
		case contract.HostBody:
			b.Classes = append(slices.Clone(b.Classes), contract.ClassCount{Class: "batch", Owned: 4, Quota: 6})
			r.Body = b
		case contract.LaunchBody:
			if b.Class == contract.ClassLow {
				b.Class = "batch"
			}
			r.Body = b
		}
	})
	m := one(t, hour(records), records, "population")
	if s := find(t, m, "batch"); s.Tone != ToneNeutral || s.Points[0].Y != 4 {
		t.Errorf("%+v", s)
	}
	find(t, m, "batch started")
	if !strings.Contains(m.Summary, "4 batch for 6 places") || !strings.Contains(m.Panes[0].Title, "6 batch") {
		t.Errorf("%s / %s", m.Panes[0].Title, m.Summary)
	}
}

func TestClassesAreBounded(t *testing.T) {
	n := 0
	records := tenMinutes(func(r *contract.Record) {
		if b, ok := r.Body.(contract.LaunchBody); ok {
			n++
			b.Class = contract.Class(fmt.Sprintf("class %d", n))
			r.Body = b
		}
	})
	m := one(t, hour(records), records, "population")
	if got := len(m.Panes[1].Series); got > 2*(maxClasses+len(classes())) {
		t.Errorf("%d series for %d classes", got, n)
	}
	find(t, m, "(other) started")
}

// What is not measured this time is alive all the same.
func TestOneThatIsNotMeasuredIsNotGone(t *testing.T) {
	records := charttest.Run{Start: epoch(), Length: 5*time.Minute + time.Second, Seed: 4}.Records()
	newest, name := uint64(0), ""
	for _, r := range records {
		newest = max(newest, r.Tick)
	}
	for i, r := range records {
		if b, ok := r.Body.(contract.ContainerBody); ok && r.Tick == newest && b.Measured && name == "" {
			name = b.Name
			b.Measured, b.Why = false, contract.UnmeasuredReset
			records[i].Body = b
		}
	}
	for _, chart := range []string{"top", "processes"} {
		m := one(t, hour(records), records, chart)
		for _, p := range m.Panes {
			if slices.Contains(p.Y.Categories, name+" †") {
				t.Errorf("%s: %s says that %s is dead", chart, p.Title, name)
			}
			for _, s := range p.Series {
				if s.Name == name && s.Stat != nil && s.Stat.Gone {
					t.Errorf("%s: %s says that %s is gone", chart, p.Title, name)
				}
			}
		}
	}
}

func TestTheDeadHaveNoLastValue(t *testing.T) {
	records := anHour()
	last := map[string]time.Time{}
	newest := time.Time{}
	for _, r := range records {
		if b, ok := r.Body.(contract.ContainerBody); ok {
			last[b.Name], newest = r.Time, r.Time
		}
	}
	dead := 0
	for _, row := range one(t, hour(records), records, "processes").Legend(ThemeLight) {
		if row.Series == "other" {
			continue
		}
		if gone := last[row.Series].Before(newest); gone != (row.Last == "–") {
			t.Errorf("%s, last seen %s: last %q", row.Series, last[row.Series], row.Last)
		} else if gone {
			dead++
		}
	}
	if dead == 0 {
		t.Error("nobody is dead: the test is blind")
	}
}

func TestStackedValuesSaySo(t *testing.T) {
	records := anHour()
	for _, m := range build(t, hour(records), records) {
		for _, p := range m.Panes {
			stacked := slices.ContainsFunc(p.Series, func(s Series) bool { return s.Stack != "" })
			if strings.HasPrefix(p.Heading(), "Stacked") != stacked {
				t.Errorf("%s: %q", m.Name, p.Heading())
			}
			if p.Horizontal() && !strings.Contains(p.Heading(), p.X.Label) {
				t.Errorf("%s: nothing says %q of %q", m.Name, p.X.Label, p.Heading())
			}
		}
	}
}

func TestAChartOfAHostLeavesOthersOut(t *testing.T) {
	records := anHour()
	q := hour(records)
	want := one(t, q, records, "memory")
	mixed := slices.Clone(records)
	for _, r := range records {
		if b, ok := r.Body.(contract.HostBody); ok {
			b.Memory.TotalKB *= 7
			r.Body, r.Host = b, "node2"
			mixed = append(mixed, r)
		}
	}
	q.Hosts = []string{"node1"}
	if got := one(t, q, mixed, "memory"); got.Summary != want.Summary {
		t.Errorf("got  %s\nwant %s", got.Summary, want.Summary)
	}
	q.Hosts = []string{"node3"}
	if got := one(t, q, mixed, "memory"); !strings.Contains(got.Empty, "No records of node3") {
		t.Errorf("%q", got.Empty)
	}
}

// The class that a chart goes by is the record's: an image may be of any.
func TestTheHeatMapGoesByTheRecordsClass(t *testing.T) {
	swapped := tenMinutes(func(r *contract.Record) {
		switch b := r.Body.(type) {
		case contract.ActionBody:
			b.Class = contract.ClassLow
			r.Body = b
		case contract.ContainerBody:
			b.Class = contract.ClassLow
			r.Body = b
		}
	})
	q := hour(swapped)
	q.Classes = []contract.Class{contract.ClassLow}
	all, low := one(t, hour(swapped), swapped, "heatmap"), one(t, q, swapped, "heatmap")
	if all.Summary != low.Summary {
		t.Errorf("all are low: %s, want %s", low.Summary, all.Summary)
	}
}
