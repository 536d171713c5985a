package containers

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func fake(t *testing.T, body string) Client {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, Script), []byte("#!/bin/bash\n"+body), 0o700); err != nil {
		t.Fatal(err)
	}
	return Client{Dir: dir, Timeout: time.Minute, RemoveTimeout: time.Minute}
}

var id = strings.Repeat("ab", 32)

func TestListReadsTheTableAndPassesOverTheRest(t *testing.T) {
	c := fake(t, `[ "$*" = 'list --run r1' ] || exit 9
printf '%s\tgestor\tr1\t7\thigh\thigh-cpu\t1700000000\towner\trunning\tname\n' `+id+`
printf '%s\tgestor\tr1\tx\thigh\thigh-cpu\t\t\texited\tother\n' `+id+`
printf '%s\tgestor\tr1\t8\tlow\tlow-idle\t\t\tstopping\tlast\n' `+id+`
printf 'forged\tline\nshort\n%s\ttoo\tfew\n' `+id)
	got, err := c.List(t.Context(), "r1")
	if err != nil {
		t.Fatal(err)
	}
	want := []Container{
		{ID: id, Suite: "gestor", Run: "r1", Seq: 7, Class: "high", Image: "high-cpu", Expires: time.Unix(1700000000, 0), Owner: "owner", State: "running", Name: "name"},
		{ID: id, Suite: "gestor", Run: "r1", Class: "high", Image: "high-cpu", State: "exited", Name: "other"},
		{ID: id, Suite: "gestor", Run: "r1", Seq: 8, Class: "low", Image: "low-idle", State: "running", Name: "last"}, // podman's word
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("containers (-want +got):\n%s", diff)
	}
	if !got[0].Alive() || got[1].Alive() {
		t.Error("running is alive, exited is not")
	}
}

func TestRemoveSaysHowMany(t *testing.T) {
	c := fake(t, `[ "$*" = 'remove `+id+`' ] && echo 1`)
	if n, err := c.Remove(t.Context(), []string{id}); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := fake(t, "exit 9").Remove(t.Context(), nil); n != 0 || err != nil {
		t.Errorf("nothing to remove: %d, %v", n, err)
	}
	if _, err := fake(t, "echo nonsense").Remove(t.Context(), []string{id}); err == nil {
		t.Error("an answer that is no number was accepted")
	}
}

func TestAnEngineThatIsAwayIsToldApart(t *testing.T) {
	c := fake(t, "echo 'managed-containers.sh: away' >&2; exit 4")
	_, list := c.List(t.Context(), "")
	_, remove := c.Remove(t.Context(), []string{id})
	_, running := c.Running(t.Context(), "x")
	_, name := c.EngineName(t.Context())
	for i, err := range []error{list, remove, running, name} {
		if !errors.Is(err, ErrEngine) {
			t.Errorf("error %d: %v", i, err)
		}
	}
	if _, err := fake(t, "exit 5").List(t.Context(), ""); errors.Is(err, ErrEngine) || err == nil {
		t.Errorf("another failure: %v", err)
	}
}

func TestAWrongVersionIsNoEngineThatIsAway(t *testing.T) {
	_, err := fake(t, "echo 'managed-containers.sh: unset DOCKER_API_VERSION' >&2; exit 6").EngineName(t.Context())
	if !errors.Is(err, ErrVersion) || errors.Is(err, ErrEngine) || !strings.Contains(err.Error(), "unset DOCKER_API_VERSION") {
		t.Errorf("got %v", err)
	}
}

func TestEventsOfPodmanAreInDockersWords(t *testing.T) {
	// As podman 4.3.1 tells them, by its service and by its own command.
	c := fake(t, `for action in start kill die died remove; do printf '1795983449389703275\t%s\t`+id+`\t137\n' $action; done`)
	var got []string
	if err := c.Watch(t.Context(), "r1", func(e Event) { got = append(got, e.Action) }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{EventStart, EventKill, EventDie, EventDie, EventDestroy}, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestWatchReadsEvents(t *testing.T) {
	c := fake(t, `printf '1500000000\tdie\t%s\t137\nnonsense\nx\tdie\t%s\t\n1\tstart\t%s\t\n' `+id+" "+id+" "+id)
	var got []Event
	if err := c.Watch(t.Context(), "r1", func(e Event) { got = append(got, e) }); err != nil {
		t.Fatal(err)
	}
	want := []Event{{At: time.Unix(1, 5e8), Action: EventDie, ID: id, ExitCode: 137}, {At: time.Unix(0, 1), Action: EventStart, ID: id}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if err := fake(t, "exit 4").Watch(t.Context(), "r1", func(Event) {}); err == nil {
		t.Error("the end of the engine was not noticed")
	}
}

func TestNamesAreCutToTheAnswer(t *testing.T) {
	c := fake(t, `case $1 in engine) printf 'host one\t20.10\n' ;; running) echo `+id+` ;; esac`)
	if name, err := c.EngineName(t.Context()); name != "host one" || err != nil {
		t.Errorf("%q, %v", name, err)
	}
	if got, err := c.Running(t.Context(), "x"); got != id || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
