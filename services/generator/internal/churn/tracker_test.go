package churn

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/generator/internal/containers"
)

// noon is any time; second(n) is n seconds after it.
var noon = time.Unix(1_000_000, 0)

func second(n int) time.Time { return noon.Add(time.Duration(n) * time.Second) }

// deaths is a Tracker that notes the ends.
func deaths() (*Tracker, *[]string) {
	var got []string
	return NewTracker(func(cause string, lifetime time.Duration) { got = append(got, cause+" "+lifetime.String()) }), &got
}

func event(n int, action string, code int) containers.Event {
	return containers.Event{At: second(n), Action: action, ID: "a", ExitCode: code}
}

func TestCausesOfDeath(t *testing.T) {
	for name, test := range map[string]struct {
		events []containers.Event
		want   string
	}{
		"by itself":       {[]containers.Event{event(9, "die", 0)}, "ended 9s"},
		"with an error":   {[]containers.Event{event(9, "die", 3)}, "failed 9s"},
		"out of memory":   {[]containers.Event{event(8, "oom", 0), event(9, "die", 137)}, "oom 9s"},
		"oom, not told":   {[]containers.Event{event(9, "die", 137)}, "oom 9s"},
		"killed":          {[]containers.Event{event(8, "kill", 0), event(9, "die", 137)}, "killed 9s"},
		"told twice":      {[]containers.Event{event(9, "die", 0), event(10, "die", 0), event(11, "destroy", 0)}, "ended 9s"},
		"late start told": {[]containers.Event{event(9, "die", 0), event(10, "start", 0)}, "ended 9s"},
	} {
		t.Run(name, func(t *testing.T) {
			l, got := deaths()
			l.OnEvent(event(0, "start", 0))
			for _, e := range test.events {
				l.OnEvent(e)
			}
			if diff := cmp.Diff([]string{test.want}, *got); diff != "" || l.Alive() != 0 {
				t.Errorf("%d alive, deaths (-want +got):\n%s", l.Alive(), diff)
			}
		})
	}
}

func TestDrainedIsTheRunsOwnDoing(t *testing.T) {
	l, got := deaths()
	l.Started("a", second(0))
	l.Drain()
	l.OnEvent(event(5, "kill", 0))
	l.OnEvent(event(5, "die", 137))
	if diff := cmp.Diff([]string{"drained 5s"}, *got); diff != "" {
		t.Error(diff)
	}
}

func TestADeathMayBeToldBeforeTheStartAnswered(t *testing.T) {
	l, got := deaths()
	l.OnEvent(event(0, "start", 0))
	l.OnEvent(event(1, "die", 0))
	l.Started("a", second(2))
	if l.Alive() != 0 || len(*got) != 1 {
		t.Errorf("%d alive, deaths %v", l.Alive(), *got)
	}
}

func TestResyncFindsWhatEventsMissed(t *testing.T) {
	l, got := deaths()
	for i, id := range strings.Split("stays gone exited young", " ") {
		l.Started(id, second(i*10))
	}
	l.Resync([]containers.Container{
		{ID: "stays", State: "running"}, {ID: "exited", State: "exited"}, {ID: "new", State: "running"}, {ID: "made", State: "created"},
	}, second(25))
	if l.Alive() != 3 { // stays, new, and young: it began after the list was asked for
		t.Errorf("%d alive, want 3", l.Alive())
	}
	if diff := cmp.Diff([]string{"unseen 0s", "unseen 0s"}, *got); diff != "" {
		t.Error(diff)
	}
	l.Resync(nil, second(100))
	if l.Alive() != 0 || len(*got) != 5 {
		t.Errorf("%d alive after an empty list, deaths %v", l.Alive(), *got)
	}
}
