package lease

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/generator/internal/containers"
)

type engine map[string]string

func (e engine) Running(_ context.Context, name string) (string, error) {
	if name == "broken" {
		return "", errors.New("away")
	}
	return e[name], nil
}

func TestAProcessIsAliveUntilItEnds(t *testing.T) {
	child := exec.CommandContext(t.Context(), "sleep", "300")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	owner, err := processOwner("/proc", child.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	look := func() Liveness {
		l, err := LivenessOf(t.Context(), engine{}, "/proc", owner)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	if look() != Alive {
		t.Errorf("%s is not alive", owner)
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	if look() != Dead {
		t.Errorf("%s is not dead", owner)
	}
}

func TestAPIDThatIsUsedAgainIsAnotherOwner(t *testing.T) {
	owner, err := processOwner("/proc", os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	cut := strings.LastIndexByte(owner, ':')
	for name, test := range map[string]struct {
		owner string
		want  Liveness
	}{
		"itself":            {owner, Alive},
		"another start":     {owner[:cut] + ":1", Dead},
		"another boot":      {"process:x" + strings.TrimPrefix(owner, "process:"), Unknown},
		"another namespace": {strings.Replace(owner, ":40", ":50", 1), Unknown},
		"no PID":            {owner[:strings.LastIndexByte(owner[:cut], ':')] + ":x:1", Unknown},
		"none":              {"", Unknown},
		"nonsense":          {"process:1:2", Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			if got, _ := LivenessOf(t.Context(), engine{}, "/proc", test.owner); got != test.want {
				t.Errorf("%s is %d, want %d", test.owner, got, test.want)
			}
		})
	}
}

func TestAContainerIsAliveWhileItRuns(t *testing.T) {
	e := engine{"aaa": "aaa", "bb": "bbb"}
	for owner, want := range map[string]Liveness{"container:aaa": Alive, "container:ccc": Dead, "container:bb": Dead, "container:broken": Unknown} {
		if got, _ := LivenessOf(t.Context(), e, "/proc", owner); got != want {
			t.Errorf("%s is %d, want %d", owner, got, want)
		}
	}
}

func TestSelfIsAnOwnerThatLives(t *testing.T) {
	owner, err := Owner(t.Context(), engine{}, "/proc")
	if err != nil {
		t.Fatal(err)
	}
	if l, err := LivenessOf(t.Context(), engine{}, "/proc", owner); l != Alive || err != nil {
		t.Errorf("%s: %d, %v", owner, l, err)
	}
}

func TestStartTimeIsReadBehindAHostileName(t *testing.T) {
	proc := t.TempDir()
	if err := os.Mkdir(filepath.Join(proc, "7"), 0o700); err != nil {
		t.Fatal(err)
	}
	stat := "7 (a) b) S 1" + strings.Repeat(" 0", 17) + " 4242 0 0\n"
	if err := os.WriteFile(filepath.Join(proc, "7", "stat"), []byte(stat), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := startTime(proc, 7); got != "4242" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestStaleIsWhatNobodyDrains(t *testing.T) {
	now := time.Unix(1000, 0)
	past, future := now.Add(-time.Second), now.Add(time.Second)
	all := []containers.Container{
		{Name: "own", Suite: "s", Run: "r", Owner: "me", Expires: past},
		{Name: "my last run", Suite: "s", Run: "r0", Owner: "me", Expires: future},
		{Name: "of a live one", Suite: "s", Run: "r1", Owner: "alive", Expires: past},
		{Name: "of a dead one", Suite: "s", Run: "r2", Owner: "dead", Expires: future},
		{Name: "by hand", Suite: "s", Run: "manual", Expires: future},
		{Name: "by hand, expired", Suite: "s", Run: "manual", Expires: past},
		{Name: "by hand, no lease", Suite: "s", Run: "manual"},
		{Name: "of another suite", Suite: "x", Run: "r3", Owner: "dead", Expires: past},
	}
	for name, test := range map[string]struct {
		me          Claimant
		want, asked string
	}{
		"a run": {Claimant{Suite: "s", Run: "r", Owner: "me"}, "[my last run of a dead one by hand, expired]", "map[:1 alive:1 dead:1]"},
		// It has no owner, as what was started by hand has none: that is no reason to remove what has a lease.
		"a person": {Claimant{Suite: "s"}, "[own of a dead one by hand, expired]", "map[:1 alive:1 dead:1 me:1]"},
	} {
		t.Run(name, func(t *testing.T) {
			asked := map[string]int{}
			look := func(owner string) Liveness {
				asked[owner]++
				return map[string]Liveness{"alive": Alive, "dead": Dead}[owner]
			}
			var got []string
			for _, c := range Stale(all, test.me, look, now) {
				got = append(got, c.Name)
			}
			if diff := cmp.Diff(test.want, fmt.Sprint(got)); diff != "" {
				t.Errorf("stale (-want +got):\n%s", diff)
			}
			if fmt.Sprint(asked) != test.asked {
				t.Errorf("asked %v, want each owner once: %s", asked, test.asked)
			}
		})
	}
}
