package actuator_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/containertest"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/govern/actuator"
)

// TestMain is also the program in the containers of TestOnTheEngine, which ends when it is told to.
func TestMain(m *testing.M) {
	if !containertest.Inside() {
		os.Exit(m.Run())
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	os.Stdout.WriteString(ready)
	<-stop
}

// ready is what the program prints once it ends when it is told to: a first process without a handler ignores that.
const ready = "ready\n"

// live is the engine of this host, with containers of the test's own.
type live struct {
	*testing.T
	image    string
	engine   *engine.Client
	enforcer *actuator.StepEnforcer
	log      limitLog
	present  actuator.Present
}

// with is the same for a subtest.
func (l *live) with(t *testing.T) *live {
	mine := &live{T: t, image: l.image, engine: l.engine, present: l.present}
	mine.enforcer = actuator.NewStepEnforcer(l.engine, l.engine, &mine.log, mine.now)
	return mine
}

func (l *live) now() actuator.Present { return l.present }

// docker runs the command line, and returns what it prints.
func (l *live) docker(args ...string) string {
	l.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		l.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// run starts a container with an anonymous volume at /anonymous and one of its own name at /named; whatever is left of them goes with
// the test. The result is its id.
func (l *live) run(flags ...string) (id string, volumes []string) {
	l.Helper()
	named := fmt.Sprintf("gestor-test-%d-%d", os.Getpid(), len(flags))
	args := append([]string{
		"run", "--detach", "--label", "team=a", "--env", containertest.InsideKey + "=1", "--volume", "/anonymous", "--volume", named + ":/named",
	}, flags...)
	id = l.docker(append(args, l.image)...)

	l.await(id)
	anonymous := l.docker("inspect", "--format", `{{range .Mounts}}{{if eq .Destination "/anonymous"}}{{.Name}}{{end}}{{end}}`, id)
	l.Cleanup(func() {
		_ = exec.Command("docker", "rm", "--force", "--volumes", id).Run()
		_ = exec.Command("docker", "volume", "rm", "--force", named, anonymous).Run()
	})
	return id, []string{anonymous, named}
}

// await waits until the container's program is ready.
func (l *live) await(id string) {
	l.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	logs := exec.CommandContext(ctx, "docker", "logs", "--follow", id)
	out, err := logs.StdoutPipe()
	if err != nil {
		l.Fatal(err)
	}
	if err := logs.Start(); err != nil {
		l.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != ready {
		l.Fatalf("its program said %q (%v)", line, err)
	}
	cancel()
	_ = logs.Wait()
}

// order is what a plan would say of the container.
func (l *live) order(id string, step policy2.Step) actuator.StepOrder {
	l.Helper()
	s, err := l.engine.Inspect(context.Background(), id)
	if err != nil {
		l.Fatal(err)
	}
	return actuator.StepOrder{
		ActionID: "1", ID: id, Step: step, InForce: l.present.InForce, Act: l.present.Policy.Act, StartedAt: s.StartedAt,
		Labels: map[string]string{"team": "a"}, AutoRemove: s.AutoRemove, AnonymousVolumes: s.AnonymousVolumes, NanoCPUs: 50_000_000,
	}
}

// do carries the order out.
func (l *live) do(o actuator.StepOrder, outcome string) actuator.StepResult {
	l.Helper()
	got := l.enforcer.Do(context.Background(), o)
	if got.Outcome != outcome {
		l.Fatalf("%q: %s, want %q", got.Outcome, got.ErrorText(), outcome)
	}
	return got
}

// state is the engine's word for the container, "" for one that is gone.
func (l *live) state(id string) string {
	out, err := exec.Command("docker", "inspect", "--format", "{{.State.Status}}", id).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// limit is what `docker inspect` shows.
func (l *live) limit(id string) string {
	l.Helper()
	return l.docker("inspect", "--format", "{{.HostConfig.NanoCpus}} {{.HostConfig.CpuQuota}} {{.HostConfig.CpuPeriod}}", id)
}

// want compares state and volumes: "+" for one that is there, first the anonymous one and then the named.
func (l *live) want(id, state string, volumes []string, there string) {
	l.Helper()
	if got := l.state(id); got != state {
		l.Errorf("it is %q, want %q", got, state)
	}
	for i, name := range volumes {
		err := exec.Command("docker", "volume", "inspect", name).Run()
		if got := err == nil; got != (there[i] == '+') {
			l.Errorf("volume %s is there: %t", name, got)
		}
	}
}

func TestOnTheEngine(t *testing.T) {
	image := containertest.Image(t)
	client, err := engine.Open("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	p := stepPolicy()
	all := &live{
		image: image, engine: client,
		present: actuator.Present{InForce: actuator.InForce{PolicyHash: p.Hash(), Mode: p.Mode}, Policy: p},
	}

	for name, test := range map[string]func(*live){
		"a stop keeps the container and its volumes":        stopKeeps,
		"a stop of one with --rm is a removal":              stopDeletes,
		"a removal leaves the volumes":                      removalLeavesVolumes,
		"a removal takes the anonymous volume":              removalTakesAnonymous,
		"one that is started again is not removed":          startedAgain,
		"one whose network is shared is not stopped":        sharedNetwork,
		"a limit is lowered and given back":                 limits,
		"a limit that was changed by hand stays":            changedByHand,
		"a limit is given back to one that has ended":       limitOfOneThatEnded,
		"after a crash the engine tells what an intent did": verified,
	} {
		t.Run(name, func(t *testing.T) { test(all.with(t)) })
	}
}

func stopKeeps(l *live) {
	id, volumes := l.run("--restart", "always")
	got := l.do(l.order(id, policy2.StepStop), contract.OutcomeDone)
	l.want(id, "exited", volumes, "++")
	if got.Removes || !got.Ended || got.VolumesLeft+got.VolumesRemoved > 0 {
		l.Errorf("%+v", got)
	}
	if code := l.docker("inspect", "--format", "{{.State.ExitCode}}", id); code == "137" {
		l.Error("it was killed")
	}
	l.do(l.order(id, policy2.StepStop), contract.OutcomeAlreadyStopped)
}

func stopDeletes(l *live) {
	id, volumes := l.run("--rm")
	o := l.order(id, policy2.StepStop)
	o.MayDelete = true
	l.do(o, contract.OutcomeRefused) // the engine deletes its anonymous volume, too
	l.want(id, "running", volumes, "++")

	o.Volumes = true
	got := l.do(o, contract.OutcomeDone)
	l.want(id, "", volumes, "-+")
	body := contract.ActionBody{Action: "stop", Phase: contract.PhaseOutcome, Outcome: got.Outcome, Removes: got.Removes}
	if !body.Removed() || got.VolumesRemoved != 1 {
		l.Errorf("%+v", got)
	}
	l.do(o, contract.OutcomeAlreadyGone)
}

func removalLeavesVolumes(l *live) {
	id, volumes := l.run()
	got := l.do(l.order(id, policy2.StepRemove), contract.OutcomeDone)
	l.want(id, "", volumes, "++")
	if !got.Removes || got.VolumesLeft != 1 || got.VolumesRemoved != 0 {
		l.Errorf("%+v", got)
	}
}

func removalTakesAnonymous(l *live) {
	id, volumes := l.run()
	l.docker("stop", id)
	o := l.order(id, policy2.StepRemove)
	o.Volumes = true
	got := l.do(o, contract.OutcomeAlreadyStopped)
	l.want(id, "", volumes, "-+")
	if got.VolumesLeft != 0 || got.VolumesRemoved != 1 {
		l.Errorf("%+v", got)
	}
}

// startsFirst has somebody start the container right before it is deleted.
type startsFirst struct {
	actuator.StepMutator
	l *live
}

func (s startsFirst) Delete(ctx context.Context, id string, how engine.Removal) error {
	s.l.docker("start", id)
	return s.StepMutator.Delete(ctx, id, how)
}

func startedAgain(l *live) {
	id, volumes := l.run()
	l.enforcer = actuator.NewStepEnforcer(l.engine, startsFirst{l.engine, l}, &l.log, l.now)
	got := l.do(l.order(id, policy2.StepRemove), contract.OutcomeRefused)
	l.want(id, "running", volumes, "++")
	if !strings.Contains(got.Why, "started again") {
		l.Errorf("why %q", got.Why)
	}
}

func sharedNetwork(l *live) {
	id, _ := l.run()
	o := l.order(id, policy2.StepStop)
	sidecar, _ := l.run("--network", "container:"+id)
	got := l.do(o, contract.OutcomeRefused)
	if !strings.Contains(got.Why, "still runs and needs it") || l.state(id) != "running" {
		l.Errorf("why %q", got.Why)
	}
	l.docker("stop", sidecar)
	l.do(o, contract.OutcomeDone)
}

// back gives the limit back that a throttle lowered.
func (l *live) back(id string, limits actuator.Limits, outcome string) {
	l.Helper()
	got := l.enforcer.GiveBack(context.Background(), actuator.GiveBackOrder{ID: id, Limits: limits, Act: l.present.Policy.Act})
	if got.Outcome != outcome {
		l.Errorf("%q: %s, want %q", got.Outcome, got.ErrorText(), outcome)
	}
}

func limits(l *live) {
	for _, tt := range []struct {
		flags              []string
		before, set, after string
	}{
		{nil, "0 0 0", "0 5000 0", "0 -1 0"}, // Docker has no other way to lift a quota
		{[]string{"--cpus", "0.5"}, "500000000 0 0", "50000000 0 0", "500000000 0 0"},
		{[]string{"--cpu-quota", "40000", "--cpu-period", "200000"}, "0 40000 200000", "0 10000 200000", "0 40000 200000"},
		{[]string{"--cpus", "0.03", "--memory", "64m"}, "30000000 0 0", "30000000 0 0", "30000000 0 0"}, // it has less already
	} {
		id, _ := l.run(tt.flags...)
		if got := l.limit(id); got != tt.before {
			l.Fatalf("%v: %s, want %s", tt.flags, got, tt.before)
		}
		set := l.do(l.order(id, policy2.StepThrottle), contract.OutcomeDone)
		if got := l.limit(id); got != tt.set {
			l.Errorf("%v: throttled to %s, want %s", tt.flags, got, tt.set)
		}
		if n := len(l.log.logged); l.log.logged[n-1] != *set.Limits {
			l.Errorf("%v: the intent says %+v, the outcome %+v", tt.flags, l.log.logged[n-1], set.Limits)
		}

		// Twice: a limit that was given back is owed no more.
		for range 2 {
			l.back(id, *set.Limits, contract.OutcomeDone)
		}
		if got := l.limit(id); got != tt.after {
			l.Errorf("%v: %s after it was given back, want %s", tt.flags, got, tt.after)
		}
		if state := l.state(id); state != "running" {
			l.Errorf("%v: %s", tt.flags, state)
		}
	}
}

func changedByHand(l *live) {
	for _, tt := range []struct{ flags, update []string }{
		{nil, []string{"--cpu-quota", "7000"}},
		{[]string{"--cpus", "0.5"}, []string{"--cpus", "0.051"}},
		{[]string{"--cpus", "0.5", "--memory", "64m"}, []string{"--cpus", "1"}},
	} {
		id, _ := l.run(tt.flags...)
		set := l.do(l.order(id, policy2.StepThrottle), contract.OutcomeDone)
		l.docker(append(append([]string{"update"}, tt.update...), id)...)
		theirs := l.limit(id)
		l.back(id, *set.Limits, contract.OutcomeRefused)
		if got := l.limit(id); got != theirs {
			l.Errorf("%v: %s, want %s", tt.update, got, theirs)
		}
	}
}

func limitOfOneThatEnded(l *live) {
	id, _ := l.run("--cpus", "0.5")
	set := l.do(l.order(id, policy2.StepThrottle), contract.OutcomeDone)
	l.docker("stop", id)
	l.back(id, *set.Limits, contract.OutcomeDone)
	if got := l.limit(id); got != "500000000 0 0" || l.state(id) != "exited" {
		l.Errorf("%s, %s", got, l.state(id))
	}
	l.docker("rm", id)
	l.back(id, *set.Limits, contract.OutcomeAlreadyGone)
}

func verified(l *live) {
	id, _ := l.run()
	o := l.order(id, policy2.StepThrottle)
	verify := func(step policy2.Step, limits *actuator.Limits, want string) {
		l.Helper()
		state, err := l.engine.Inspect(context.Background(), id)
		i := actuator.OpenIntent{ID: id, Step: step, StartedAt: o.StartedAt, Limits: limits}
		if got := actuator.Verify(i, state, err); got.Outcome != want {
			l.Errorf("%s: %q (%s), want %q", step, got.Outcome, got.ErrorText(), want)
		}
	}

	set := &actuator.Limits{Set: engine.CPULimit{QuotaUS: 5_000}}
	verify(policy2.StepThrottle, set, contract.OutcomeRefused)
	verify(policy2.StepStop, nil, contract.OutcomeRefused)
	verify(policy2.StepRemove, nil, contract.OutcomeRefused)

	l.do(o, contract.OutcomeDone)
	verify(policy2.StepThrottle, set, contract.OutcomeDone)
	l.docker("stop", id)
	verify(policy2.StepStop, nil, contract.OutcomeDone)
	verify(policy2.StepRemove, nil, contract.OutcomeUnknown)
	l.docker("rm", id)
	verify(policy2.StepStop, nil, contract.OutcomeAlreadyGone)
	verify(policy2.StepRemove, nil, contract.OutcomeDone)
	verify(policy2.StepThrottle, set, contract.OutcomeAlreadyGone)
}
