package facts_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/containertest"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/facts"
	"gestor.local/manager/internal/population"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/source/hostproc"
	"gestor.local/manager/internal/source/netdev"
)

// TestMain is also the program in the containers of TestEngine, which lives until its input ends.
func TestMain(m *testing.M) {
	if !containertest.Inside() {
		os.Exit(m.Run())
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// live makes facts of this host.
type live struct {
	*testing.T
	image      string
	engine     *engine.Client
	reader     *hostproc.Reader
	network    *netdev.Reader
	builder    *facts.Builder
	population population.State
	asked      []string
}

func bootUS() uint64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0
	}
	return uint64(now.Nano()) / 1000
}

func newLive(t *testing.T) *live {
	l := &live{T: t, image: containertest.Image(t), network: netdev.New("/proc", bootUS), builder: facts.New(facts.Options{})}
	var err error
	if l.engine, err = engine.Open(""); err != nil {
		t.Fatal(err)
	}
	if l.reader, err = hostproc.New(hostproc.Options{Proc: "/proc", Cgroup: "/sys/fs/cgroup"}); err != nil {
		t.Skip(err)
	}

	t.Cleanup(func() {
		l.network.Close()
		_ = l.engine.Close()
	})
	return l
}

// run starts a container, or only creates it, and returns its id.
func (l *live) run(verb string, args ...string) string {
	l.Helper()
	args = append([]string{verb, "--interactive", "--env", containertest.InsideKey + "=1", "--label", "gestor.test=facts"}, args...)
	if verb == "run" {
		args = slices.Insert(args, 1, "--detach")
	}
	id := l.docker(append(args, l.image)...)
	l.Cleanup(func() { _ = exec.Command("docker", "rm", "--force", "--volumes", id).Run() })
	return id
}

func (l *live) docker(args ...string) string {
	l.Helper()
	out, err := exec.Command("docker", args...).Output()
	if err != nil {
		l.Fatalf("docker %v: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}

// tick makes facts of now, of the test's containers alone: others come and go.
func (l *live) tick() rules.Facts {
	l.Helper()
	ctx, cancel := context.WithTimeout(l.Context(), time.Minute)
	defer cancel()
	snap, _, err := l.reader.Read(ctx)
	if err != nil {
		l.Fatal(err)
	}
	next, pop, _, err := l.population.Advance(snap, nil)
	if err != nil {
		l.Fatal(err)
	}
	l.population = next

	inv, err := l.engine.List(ctx)
	if err != nil {
		l.Fatal(err)
	}
	inv.Entries = slices.DeleteFunc(inv.Entries, func(e contract.Entry) bool { return e.Labels["gestor.test"] != "facts" })

	l.asked = l.builder.Observe(inv, snap)
	l.builder.Inspected(facts.Inspect(ctx, l.engine, l.asked))
	wanted := l.builder.Counted(snap, &pop, func(*policy2.Identity) bool { return true })
	return l.builder.Facts(facts.Tick{
		Clocks:     facts.Reading{BootID: snap.BootID, BootUS: snap.MonotonicUS, WallUS: time.Now().UnixMicro()},
		Population: &pop, Snapshot: snap, Inventory: inv, Network: l.network.Read(wanted),
	})
}

// TestEngine makes facts of real containers: what the engine says of them, their rows and their traffic.
func TestEngine(t *testing.T) {
	l := newLive(t)
	network := fmt.Sprintf("gestor-facts-%d", os.Getpid())
	l.docker("network", "create", network)
	t.Cleanup(func() { _ = exec.Command("docker", "network", "rm", network).Run() })

	web := l.run("run", "--name", network+"-web", "--network", network, "--volume", "/data", "--cpus", "0.5", "--restart", "on-failure")
	sidecar := l.run("run", "--rm", "--network", "container:"+web, "--volume", "/var/run:/engine:ro")
	born := l.run("create", "--network", "none")
	ended := l.run("run", "--network", "host")
	l.docker("kill", ended)

	l.tick()
	f := l.tick()
	if len(l.asked) > 0 {
		t.Errorf("nothing changed, and %v are inspected again", l.asked)
	}

	c := of(t, f, web)
	ageUS := f.WallUS - c.CreatedWallUS.Value
	if !c.CreatedWallUS.Known || ageUS < 0 || ageUS > us(time.Hour) || c.StartedWallUS.Value < c.CreatedWallUS.Value {
		t.Errorf("created %v, started %v, finished %v", c.CreatedWallUS, c.StartedWallUS, c.FinishedWallUS)
	}
	if c.FinishedWallUS != known(int64(0)) || c.RestartPolicy != known("on-failure") || c.AutoRemove != known(false) {
		t.Errorf("%+v", c)
	}
	if c.NanoCPUs != known(int64(500_000_000)) || c.AnonymousVolumes != known(1) {
		t.Errorf("%+v", c)
	}
	own := slices.Equal(c.Networks.Value, []string{network}) && c.NetworkMode == known(network)
	if !own || c.Socket != known(false) || c.Image != l.image {
		t.Errorf("%+v in %v", c.Identity, c.NetworkMode)
	}
	if !c.HasRow || c.Processes != known(1) || !c.CPUUS.Known || !c.RAMKB.Known || !c.NetBytes.Known || c.NetBootUS == 0 {
		t.Errorf("%+v", c)
	}

	c = of(t, f, sidecar)
	if c.NetworkMode != known("container:"+web) || c.Socket != known(true) || c.AutoRemove != known(true) || !c.NetBytes.Known {
		t.Errorf("%+v, socket %v", c, c.Socket)
	}
	c = of(t, f, born)
	if c.State != contract.StateCreated || c.StartedWallUS != known(int64(0)) || c.HasRow || c.NetBytes != known(uint64(0)) {
		t.Errorf("%+v", c)
	}
	c = of(t, f, ended)
	if c.State != contract.StateExited || c.FinishedWallUS.Value < c.StartedWallUS.Value || c.HasRow || c.NetBytes.Known {
		t.Errorf("%+v", c)
	}

	// The engine's own restart, seen by the start of its process alone.
	before := of(t, f, web).StartedAt
	l.docker("restart", "--time", "0", web)
	l.docker("rename", web, network+"-renamed")
	again := of(t, l.tick(), web)
	if again.StartedAt == before || !again.HasRow || !slices.Contains(l.asked, web) {
		t.Errorf("started at %v and then %v", before, again.StartedAt)
	}
	if !slices.Equal(again.PastNames, []string{network + "-web"}) {
		t.Errorf("called before %v", again.PastNames)
	}
}
