package page

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
)

// ids are the first n containers of a source.
func ids(s *memorySource, n int) []string {
	var out []string
	seen := map[string]bool{}
	for _, r := range s.records {
		if sub, ok := contract.SubjectOf(r.Body); ok && !seen[sub.Container] && len(out) < n {
			seen[sub.Container] = true
			out = append(out, sub.Container)
		}
	}
	return out
}

func classCounts(low, high contract.ClassCount) []contract.ClassCount {
	low.Class, low.Quota, high.Class, high.Quota = contract.ClassLow, 3, contract.ClassHigh, 2
	return []contract.ClassCount{low, high}
}

func TestPageOfAnEmptyStore(t *testing.T) {
	h, _ := serve(t, &memorySource{now: epoch()})
	page := get(t, h, "/").Body.String()
	if !strings.Contains(page, "No records yet") || !strings.Contains(page, "make up") {
		t.Error("an empty store does not say what to do")
	}
}

func TestPageShowsTheNewestTickAlone(t *testing.T) {
	s := sampleRun(nil)
	p, err := readPageData(t.Context(), s, "")
	if err != nil {
		t.Fatal(err)
	}

	owned, removed := 0, 0
	for _, c := range p.Host.Classes {
		owned, removed = owned+c.Owned, removed+c.Removals
	}
	if len(p.Rows) != owned-removed || len(p.Rows) != p.Alive || owned == 0 {
		t.Errorf("%d rows for %d owned containers of which %d were removed", len(p.Rows), owned, removed)
	}

	if len(p.Recent) != recentDecisions || p.Recent[0].Time.Before(p.Recent[recentDecisions-1].Time) {
		t.Errorf("%d decisions, the newest first", len(p.Recent))
	}
	for i := 1; i < len(p.Rows); i++ {
		if classOrder(p.Rows[i-1].Class) > classOrder(p.Rows[i].Class) {
			t.Error("classes are mixed")
		}
	}
}

func TestAHalfArrivedTickShowsTheOneBefore(t *testing.T) {
	s := sampleRun(nil)
	last := len(s.records) - 1
	for s.records[last].Kind != contract.KindHost {
		last--
	}
	s.records[last], s.records[last+1] = s.records[last+1], s.records[last]
	s.records = s.records[:last+1] // a container of the newest tick, without the tick's host record

	p, err := readPageData(t.Context(), s, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Host.Classes) == 0 || len(p.Rows) < 2 {
		t.Errorf("host %+v with %d rows", p.Host.Classes, len(p.Rows))
	}
}

// containersAlone are records as POST /logs makes them: no host record among them.
func containersAlone(n int, step time.Duration) *memorySource {
	s := &memorySource{now: epoch().Add(time.Duration(n) * step)}
	for i := range n {
		s.records = append(s.records, contract.Record{
			Time: epoch().Add(time.Duration(i+1) * step), Kind: contract.KindContainer, Host: "seed", Boot: "b", Source: contract.SourceProcfs, Tick: uint64(i + 1),
			Body: contract.ContainerBody{Subject: contract.Subject{Container: "c0ffee"}, Owned: true, Measures: contract.Measures{RAMKB: uint64(i + 1)}},
		})
	}
	return s
}

func TestContainersAloneAreShownAsOfTheNewest(t *testing.T) {
	const n = 100
	p, err := readPageData(t.Context(), containersAlone(n, time.Minute), "")
	if err != nil {
		t.Fatal(err)
	}
	if !p.Last.Equal(p.At) || p.Age != 0 || p.Verdict.State == "stale" || p.HostID != "seed" {
		t.Errorf("newest record %v ago: %+v", p.Age, p.Verdict)
	}
	if len(p.Rows) != 1 || p.Rows[0].RAMKB != n {
		t.Errorf("rows %+v, want the newest record's alone", p.Rows)
	}
}

func TestTheSearchForATickIsBounded(t *testing.T) {
	s := containersAlone(maxScanned+10, time.Second)
	first := &s.records[0]
	first.Kind, first.Body = contract.KindHost, contract.HostBody{Classes: classCounts(contract.ClassCount{}, contract.ClassCount{})}

	p, err := readPageData(t.Context(), s, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Host.Classes) != 0 || !p.Last.Equal(p.At) {
		t.Errorf("read on to %v, beyond %d records", p.Last, maxScanned)
	}
}

func TestHostMemoryIsShownWhenItIsKnown(t *testing.T) {
	for total, want := range map[uint64]bool{0: false, 4 << 20: true} {
		s := &memorySource{now: epoch(), records: []contract.Record{{
			Time: epoch(), Kind: contract.KindHost, Host: "node1", Boot: "b", Tick: 1, Body: contract.HostBody{Memory: contract.Memory{TotalKB: total}},
		}}}
		h, _ := serve(t, s)
		if got := strings.Contains(get(t, h, "/now").Body.String(), "Host memory"); got != want {
			t.Errorf("total %d KiB: shown %t, want %t", total, got, want)
		}
	}
}

func TestAStandingConditionIsNeverSilent(t *testing.T) {
	s := &memorySource{now: epoch()}
	add := func(ago time.Duration, kind contract.Kind, body contract.Body) {
		s.records = append(s.records, contract.Record{Time: s.now.Add(-ago), Kind: kind, Producer: "manager", Body: body})
	}
	event := func(ago time.Duration, name, what, about string) {
		add(ago, contract.KindSystem, contract.SystemBody{Event: name, Level: "warn", Details: map[string]any{what: about}})
	}

	event(9*time.Hour, "condition_begin", "condition", "before_the_start")
	event(8*time.Hour, "start", "", "")
	event(7*time.Hour, "condition_begin", "condition", "ended")
	event(6*time.Hour, "gate_begin", "gate", "no_source")
	event(5*time.Hour, "gate_alarm", "gate", "no_source")
	event(4*time.Hour, "condition_begin", "condition", "cured")
	event(3*time.Hour, "condition_end", "condition", "cured")
	event(2*time.Hour, "torn_tail", "", "")

	for range recentDecisions {
		add(time.Hour, contract.KindDecision, contract.DecisionBody{Verdict: contract.VerdictRemove})
	}
	for range recentAlerts + 1 {
		event(time.Minute, "breaker", "", "")
	}
	p, err := readPageData(t.Context(), s, "")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, a := range p.Alerts {
		names = append(names, a.Name())
	}
	want := []string{"breaker", "breaker", "breaker", "breaker", "no_source", "ended"}
	if !slices.Equal(names, want) {
		t.Errorf("alerts %q, want %q", names, want)
	}
}

// A condition of one host is ended by that host alone: not by another's end of the same name, nor by another's start, nor
// by names that read the same when put together. It is on the page of every host.
func TestAConditionIsOfItsHost(t *testing.T) {
	type told struct{ host, producer, event, about string }
	for name, c := range map[string]struct {
		events []told // oldest first
		want   bool   // it still stands
	}{
		"nothing more":                    {nil, true},
		"another host's end":              {[]told{{"node2", "manager", "condition_end", "engine"}}, true},
		"another host's start":            {[]told{{"node1", "manager", "start", ""}}, true},
		"another producer's end":          {[]told{{"node3", "generator", "condition_end", "engine"}}, true},
		"another producer's start":        {[]told{{"node3", "generator", "start", ""}}, true},
		"another one's end":               {[]told{{"node3", "manager", "condition_end", "journal"}}, true},
		"a gate of that name":             {[]told{{"node3", "manager", "gate_end", "engine"}}, true},
		"a name put together another way": {[]told{{"node3 manager", "condition", "condition_end", "engine"}, {"node3 ", "manager", "start", ""}}, true},
		"its end":                         {[]told{{"node3", "manager", "condition_end", "engine"}}, false},
		"its producer's start":            {[]told{{"node3", "manager", "start", ""}}, false},
	} {
		s := &memorySource{now: epoch()}
		for i, e := range append([]told{{"node3", "manager", "condition_begin", "engine"}}, c.events...) {
			what, _, _ := strings.Cut(e.event, "_")
			s.records = append(s.records, contract.Record{
				Time: s.now.Add(time.Duration(i-100) * time.Minute), Kind: contract.KindSystem, Host: e.host, Producer: e.producer,
				Body: contract.SystemBody{Event: e.event, Level: "warn", Details: map[string]any{what: e.about}},
			})
		}
		for _, host := range []string{"node1", "node3"} {
			p, err := readPageData(t.Context(), s, host)
			if err != nil {
				t.Fatal(err)
			}
			stands := slices.ContainsFunc(p.Alerts, func(a alert) bool { return a.Name() == "engine" && (a.Elsewhere == "node3") == (host == "node1") })
			if stands != c.want {
				t.Errorf("%s, on the page of %s: stands %t, want %t; %+v", name, host, stands, c.want, p.Alerts)
			}
		}
	}
}

func TestWhatIsOverIsNoAlert(t *testing.T) {
	event := func(name, gate string) contract.SystemBody {
		return contract.SystemBody{Event: name, Details: map[string]any{"gate": gate}}
	}
	over := newEndedConditions() // told from the newest to the oldest
	for i, e := range []struct {
		producer string
		body     contract.SystemBody
		over     bool
	}{
		{"manager", event("gate_begin", "stale"), false},
		{"manager", event("gate_end", "no_source"), false},
		{"manager", event("gate_alarm", "no_source"), true},
		{"manager", event("gate_begin", "no_source"), true},
		{"manager", event("gate_begin", "journal"), false},
		{"generator", event("start", ""), false},
		{"manager", event("torn_tail", ""), false},
		{"manager", event("gate_begin", "journal"), false},
		{"manager", event("start", ""), false},
		{"manager", event("gate_begin", "journal"), true},
		{"manager", event("breaker", ""), false},
	} {
		if got := over.observe(producerKey{"node1", e.producer}, e.body); got != e.over {
			t.Errorf("event %d, %s of %s: over %t, want %t", i, e.body.Event, e.producer, got, e.over)
		}
	}
}

func TestAnAlertIsNamedAfterItsCondition(t *testing.T) {
	for want, body := range map[string]contract.SystemBody{
		"ended":      {Event: "condition_begin", Details: map[string]any{"condition": "ended"}},
		"no_source":  {Event: "gate_alarm", Details: map[string]any{"gate": "no_source"}},
		"torn_tail":  {Event: "torn_tail", Details: map[string]any{"torn": "x"}},
		"gate_begin": {Event: "gate_begin", Details: map[string]any{"gate": 7}}, // a stranger's record
	} {
		if got := (alert{SystemBody: body}).Name(); got != want {
			t.Errorf("%s is named %q, want %q", body.Event, got, want)
		}
	}
}

func TestTheContainersPageTellsWhy(t *testing.T) {
	s := sampleRun(nil)
	h, _ := serve(t, s)
	for _, r := range s.records {
		b, ok := r.Body.(contract.DecisionBody)
		if !ok {
			continue
		}
		page := get(t, h, "/containers/"+b.Container).Body.String()
		for _, want := range []string{b.Name, b.Container, b.Text, "started by the generator", "remove outcome: done", "Its class on its last tick"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page does not hold %q", want)
			}
		}
		return
	}
	t.Fatal("no decision in the run")
}
