package suite

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/e2e/page"
	"gestor.local/e2e/scenario"
)

const (
	tick  = 10 * time.Second
	batch = 30 * time.Second
	// A container is seen within one tick, mature one tick later; three ticks more is what the policy promises.
	judgedAfter = 2*tick + 3*tick
)

// running is the suite under test with all that the steps look at.
type running struct {
	compose  *scenario.Compose
	engine   *scenario.Engine
	logs     scenario.Logs
	opsURL   string
	stranger string
	oomScore int      // of the services: what `make up` would find
	before   []string // ids of every container that was there before
}

// TestSuite is one life of the suite, step by step: each step needs the state that the one before it left.
func TestSuite(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes: left out by -short")
	}
	s := start(t, "GESTOR_SEED=42", "GESTOR_INTERVAL="+batch.String(), "GESTOR_BATCH=10")
	steps := []struct {
		name string
		run  func(*testing.T, *running)
	}{
		{"the population falls to the quota and stays there for three more batches", checkQuota},
		{"every container runs inside the limits the wrapper promises", checkContainerLimits},
		{"the services go first when CPU or memory is short", checkPriorities},
		{"every removal has its decision and its action with the numbers", checkExplained},
		{"the removed are the right ones by a ranking of our own", checkRanking},
		{"every service, its image and its start record tell the same version", checkVersions},
		{"the page and the charts show data and need no other host", checkPageServed},
		{"a neighbour cannot store records in the name of the manager", checkForgedRecords},
		{"a killed log service has lost nothing it acknowledged", checkKillOfLogs},
		{"nothing outside the suite's ownership was touched", checkForeignUntouched},
		{"down after a kill of the generator leaves nothing behind", checkDown},
	}
	for _, step := range steps {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, s) }) {
			t.Fatal("the steps after this one need its state")
		}
	}
}

// start brings the suite up under a project name, ports and a data folder of its own, with the given settings.
func start(t *testing.T, settings ...string) *running {
	t.Helper()
	return startFiles(t, nil, settings...)
}

// startFiles is start with compose files beside compose.yaml.
func startFiles(t *testing.T, files []string, settings ...string) *running {
	t.Helper()
	engine := scenario.NewEngine(t)
	if out, err := exec.Command("docker", "compose", "version", "--short").CombinedOutput(); err != nil {
		t.Skipf("docker compose is not installed here: %s", out)
	}
	refuseNeighbours(t, engine)

	s := &running{
		engine: engine,
		compose: &scenario.Compose{
			Project: "gestor-e2e-" + strconv.Itoa(os.Getpid()), Root: scenario.Root(t), Data: t.TempDir(), Files: files,
		},
	}
	if os.Getenv("GESTOR_IMAGES") != "built" { // by hand: what is tagged is taken as it is
		s.compose.Run(t, 20*time.Minute, "build", "-q")
	}
	if mayLowerScores() {
		s.oomScore = -500
	}

	// After the build, which is long: others may take the ports meanwhile.
	port, ops := scenario.FreePort(t), scenario.FreePort(t)
	s.logs, s.opsURL = scenario.Logs{URL: "http://127.0.0.1:" + port}, "http://127.0.0.1:"+ops
	s.compose.Env = append([]string{
		"GESTOR_PORT=" + port, "GESTOR_OPS_PORT=" + ops, "GESTOR_DATA_DIR=" + s.compose.Data,
		"GESTOR_OOM_SCORE_ADJ=" + strconv.Itoa(s.oomScore),
	}, settings...)

	// Whatever is there already is not of this run, and has to be there after it.
	for _, c := range engine.MustList(t) {
		s.before = append(s.before, c.ID)
	}
	s.stranger = startStranger(t)
	t.Cleanup(func() { s.cleanUp(t) })
	s.compose.Run(t, 5*time.Minute, "up", "-d", "--wait", "--wait-timeout", "240")
	return s
}

// mayLowerScores says whether the engine has the right to lower an OOM score, which one inside of a container may lack.
func mayLowerScores() bool {
	return exec.Command("docker", "run", "--rm", "--pull", "never", "--network", "none", "--oom-score-adj", "-500",
		"--entrypoint", "true", "debian:trixie-slim").Run() == nil
}

// refuseNeighbours skips the test where another Gestor governs this engine: two would judge the same containers.
func refuseNeighbours(t *testing.T, engine *scenario.Engine) {
	t.Helper()
	for _, c := range engine.MustList(t, contract.LabelRole+"=manager") {
		if c.State == "running" {
			t.Skipf("another manager (%s) governs this engine; stop it first (docker compose down)", c.Name)
		}
	}
}

// startStranger runs a heavy container without any label of ours: the suite must not touch it.
func startStranger(t *testing.T) string {
	t.Helper()
	name := "gestor-e2e-stranger-" + strconv.Itoa(os.Getpid())
	out, err := exec.Command("docker", "run", "-d", "--name", name, "--network", "none", "--cpus", "0.3",
		"--memory", "64m", "--label", "gestor.test=suite", "gestor/high-cpu").CombinedOutput()
	if err != nil {
		t.Fatalf("start the stranger: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "-f", name).Run() })
	return name
}

// cleanUp removes what a failed run may have left.
func (s *running) cleanUp(t *testing.T) {
	if t.Failed() {
		out, _ := s.compose.Try(time.Minute, "logs", "--no-color", "--tail", "60")
		t.Logf("last words of the services:\n%s", out)
	}
	if out, err := s.compose.Try(3*time.Minute, "down", "-v", "--remove-orphans"); err != nil {
		t.Errorf("clean up: %v\n%s", err, out)
	}

	left, err := s.engine.List(context.Background(), contract.LabelManaged+"=true")
	if err != nil {
		t.Errorf("clean up: %v", err)
	}
	for _, c := range left {
		if !slices.Contains(s.before, c.ID) {
			_ = exec.Command("docker", "rm", "-f", c.ID).Run()
		}
	}
}

// managed lists the containers that this run's generator started and that still run, by class.
func (s *running) managed(ctx context.Context) (map[contract.Class][]scenario.ContainerState, error) {
	list, err := s.engine.List(ctx, contract.LabelManaged+"=true")
	byClass := map[contract.Class][]scenario.ContainerState{}
	for _, c := range list {
		if c.State == "running" && !slices.Contains(s.before, c.ID) {
			class := contract.Class(c.Labels[contract.LabelClass])
			byClass[class] = append(byClass[class], c)
		}
	}
	return byClass, err
}

func olderThan(list []scenario.ContainerState, age time.Duration) int {
	n := 0
	for _, c := range list {
		if time.Since(c.StartedAt) > age {
			n++
		}
	}
	return n
}

func checkQuota(t *testing.T, s *running) {
	scenario.Eventually(t, 2*batch, "the first batch has both classes in plenty", func() error {
		pop, err := s.managed(t.Context())
		if err == nil && (len(pop[contract.ClassLow]) <= quotaLow || len(pop[contract.ClassHigh]) <= quotaHigh) {
			err = fmt.Errorf("low %d, high %d", len(pop[contract.ClassLow]), len(pop[contract.ClassHigh]))
		}
		return err
	})

	scenario.Eventually(t, judgedAfter+batch, "the removals have begun", func() error {
		r, err := s.logs.Records(contract.KindAction)
		if err == nil && len(r) == 0 {
			err = fmt.Errorf("no action record yet")
		}
		return err
	})
	scenario.Always(t, 3*batch, "the quota holds", func() error { return s.quotaHolds(t.Context()) })
}

// quotaHolds says whether no more containers than the policy keeps are old enough to have been judged, and no fewer alive.
func (s *running) quotaHolds(ctx context.Context) error {
	pop, err := s.managed(ctx)
	if err != nil {
		return err
	}
	for class, quota := range map[contract.Class]int{contract.ClassLow: quotaLow, contract.ClassHigh: quotaHigh} {
		if all := len(pop[class]); all < quota {
			return fmt.Errorf("%s: only %d alive, the policy keeps %d", class, all, quota)
		}
		if old := olderThan(pop[class], judgedAfter); old > quota {
			return fmt.Errorf("%s: %d are older than %s, the policy keeps %d", class, old, judgedAfter, quota)
		}
	}
	return nil
}

func checkContainerLimits(t *testing.T, s *running) {
	list := s.engine.MustList(t, contract.LabelManaged+"=true")
	checked := 0
	for _, c := range list {
		if slices.Contains(s.before, c.ID) {
			continue
		}
		full, err := s.engine.Client.ContainerInspect(t.Context(), c.ID)
		if err != nil {
			continue // removed meanwhile
		}

		checked++
		h := full.HostConfig
		if h.Memory == 0 || h.NanoCPUs == 0 || h.PidsLimit == nil || *h.PidsLimit <= 0 {
			t.Errorf("%s has no limit: memory %d, cpus %d, pids %v", c.Name, h.Memory, h.NanoCPUs, h.PidsLimit)
		}
		if h.NetworkMode != "none" || !h.ReadonlyRootfs || !slices.Contains(h.CapDrop, "ALL") ||
			!slices.ContainsFunc(h.SecurityOpt, func(o string) bool { return strings.HasPrefix(o, "no-new-privileges") }) {
			t.Errorf("%s is not contained: %s, read-only %t, drops %v, %v", c.Name, h.NetworkMode, h.ReadonlyRootfs, h.CapDrop, h.SecurityOpt)
		}
		for _, l := range []string{contract.LabelClass, contract.LabelRun, contract.LabelSeq, contract.LabelExpires} {
			if full.Config.Labels[l] == "" {
				t.Errorf("%s lacks the label %s", c.Name, l)
			}
		}
	}
	if checked < quotaLow+quotaHigh {
		t.Fatalf("only %d containers could be looked at", checked)
	}
}

// checkPriorities looks at what the engine was asked for and at what the kernel was told: a score needs a right that the services
// themselves do not have.
func checkPriorities(t *testing.T, s *running) {
	const ordinary = 1024 // the CPU weight of a container without one
	weights := map[string]int64{}
	for _, role := range []string{contract.ProducerLogs, contract.ProducerManager, contract.ProducerGenerator} {
		c := s.service(t, role)
		weights[role] = s.weight(t, c.ID)
		if got := oomScoreAdjust(t, c.PID); got != s.oomScore {
			t.Errorf("%s: the kernel adjusts its OOM score by %d, want %d", role, got, s.oomScore)
		}
	}
	if weights[contract.ProducerManager] <= weights[contract.ProducerLogs] || weights[contract.ProducerLogs] <= ordinary ||
		weights[contract.ProducerGenerator] <= ordinary {
		t.Errorf("CPU weights %v: want the manager's highest and all above %d", weights, ordinary)
	}

	checked := 0
	for _, c := range s.engine.MustList(t, contract.LabelManaged+"=true") {
		full, err := s.engine.Client.ContainerInspect(t.Context(), c.ID)
		if err != nil || slices.Contains(s.before, c.ID) {
			continue // removed meanwhile, or not of this run
		}
		checked++
		if h := full.HostConfig; h.CPUShares <= 0 || h.CPUShares >= ordinary || h.OomScoreAdj != 0 {
			t.Errorf("%s: CPU weight %d, want less than %d; OOM score %d, want it neutral", c.Name, h.CPUShares, ordinary, h.OomScoreAdj)
		}
	}
	if checked == 0 {
		t.Fatal("no container of the generator could be looked at")
	}
}

func (s *running) weight(t *testing.T, id string) int64 {
	t.Helper()
	full, err := s.engine.Client.ContainerInspect(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return full.HostConfig.CPUShares
}

// oomScoreAdjust is the kernel's own figure (proc(5), /proc/PID/oom_score_adj).
func oomScoreAdjust(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "oom_score_adj"))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func checkExplained(t *testing.T, s *running) {
	decisions := map[string]contract.DecisionBody{}
	var actions []contract.ActionBody
	for _, r := range s.logs.MustRecords(t, contract.KindDecision, contract.KindAction) { // at once: they arrive together
		switch b := r.Body.(type) {
		case contract.DecisionBody:
			if b.Verdict == contract.VerdictRemove {
				decisions[b.Container] = b
			}
		case contract.ActionBody:
			actions = append(actions, b)
		}
	}

	done := 0
	for _, a := range actions {
		d, ok := decisions[a.Container]
		if !ok || d.Measures == nil || d.Reason == "" || d.Text == "" || (d.Reason == contract.ReasonOverQuota && d.Rank <= d.Cut) {
			t.Errorf("action on %.12s without a decision that explains it: %+v", a.Container, d)
		}

		if a.Phase == contract.PhaseOutcome && a.Outcome == contract.OutcomeDone {
			done++
			if _, err := s.engine.Inspect(t.Context(), a.Container); err == nil {
				t.Errorf("%.12s is recorded as removed and is still there", a.Container)
			}
		}
	}
	if done < 5 {
		t.Fatalf("only %d removals are recorded as done", done)
	}
}

func checkRanking(t *testing.T, s *running) {
	records := s.logs.MustRecords(t, contract.KindContainer, contract.KindDecision, contract.KindAction)
	views := byTick(records)
	leaving, spared := map[string]bool{}, notRemoved(records)

	compared := 0
	for i := 1; i < len(views)-1; i++ { // of the last tick some may still be on its way
		now := views[i]
		if len(now.removed) == 0 {
			continue
		}

		want := surplus(views[i-1], now, uint64(tick.Microseconds()), leaving)
		for id := range want {
			if _, ok := now.removed[id]; !ok && !spared[id] {
				t.Errorf("tick %d: %.12s had to go and stayed", now.tick, id)
			}
		}
		for id, d := range now.removed {
			if !want[id] && !spared[id] {
				t.Errorf("tick %d: %.12s was removed (%s) and had to stay", now.tick, id, d.Text)
			}
			leaving[id] = true
		}
		compared++
	}
	if compared < 3 {
		t.Fatalf("only %d ticks with removals to compare", compared)
	}
}

// notRemoved are the containers of which one removal was called off or failed: when they are judged again depends on when
// that was known.
func notRemoved(records []contract.Record) map[string]bool {
	spared := map[string]bool{}
	for _, r := range records {
		if a, ok := r.Body.(contract.ActionBody); ok && (a.Outcome == contract.OutcomeRefused || a.Outcome == contract.OutcomeFailed) {
			spared[a.Container] = true
		}
	}
	return spared
}

func checkVersions(t *testing.T, s *running) {
	const label = "org.opencontainers.image.version"
	started := map[string]any{}
	for _, r := range s.logs.MustRecords(t, contract.KindSystem) {
		if b, ok := r.Body.(contract.SystemBody); ok && b.Event == "start" {
			started[r.Producer] = b.Details["version"]
		}
	}

	for _, role := range []string{contract.ProducerLogs, contract.ProducerManager, contract.ProducerGenerator} {
		if got := s.service(t, role).Labels[label]; got != contract.Version {
			t.Errorf("%s: the image's label %s is %q, want %q", role, label, got, contract.Version)
		}
		if started[role] != contract.Version {
			t.Errorf("%s: the start record tells version %v, want %q", role, started[role], contract.Version)
		}
		out := s.compose.Run(t, time.Minute, "exec", "-T", role, "/gestor-"+role, "--version")
		if want := "gestor-" + role + " " + contract.Version; strings.TrimSpace(out) != want {
			t.Errorf("%s: --version says %q, want %q", role, out, want)
		}
	}
}

func checkPageServed(t *testing.T, s *running) {
	for _, chart := range []string{"memory", "processes", "population"} {
		png, err := s.logs.Get(contract.PathCharts+"/"+chart+".png", "")
		if err != nil || len(png) < 2000 || string(png[1:4]) != "PNG" {
			t.Errorf("%s.png: %d bytes, %v", chart, len(png), err)
		}
		html, err := s.logs.Get(contract.PathCharts+"/"+chart+".html", "")
		if err != nil || !strings.Contains(string(html), "application/json") {
			t.Errorf("%s.html: %d bytes, %v", chart, len(html), err)
		}
	}
	t.Run("in a browser", func(t *testing.T) { page.CheckRunning(t, s.logs.URL, "") })
}

// checkForgedRecords sends, from a container on the services' own network, a record that claims the numbers that the manager is
// about to use: taken, it would make the manager's own look like repetitions.
func checkForgedRecords(t *testing.T, s *running) {
	var last contract.Record
	for _, r := range s.logs.MustRecords(t, contract.KindHost) {
		if r.Producer == contract.ProducerManager {
			last = r
		}
	}
	for _, producer := range []string{contract.ProducerManager, contract.ProducerGenerator, "neighbour"} {
		forged := last
		forged.Producer, forged.PSeq = producer, last.PSeq+100_000
		text, err := json.Marshal(forged)
		if err != nil {
			t.Fatal(err)
		}
		status := s.postFromInside(t, string(text))
		if own := producer != "neighbour"; own != (status == "401" || status == "403") || !own && status != "200" {
			t.Errorf("a record of the producer %s is answered with %q", producer, status)
		}
	}
}

// postFromInside sends one record from a container on the inner network, without a token, and returns the status.
func (s *running) postFromInside(t *testing.T, record string) string {
	t.Helper()
	const script = `exec 3<>/dev/tcp/logs/8080 || exit
printf 'POST /v1/records HTTP/1.0\r\nHost: logs\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s' ${#1} "$1" >&3
read -r _ status _ <&3 && printf %s "$status"`
	cmd := exec.Command("docker", "run", "--rm", "--label", "gestor.test=suite", "--network", s.compose.Project+"_inner",
		"--entrypoint", "bash", "debian:trixie-slim", "-c", script, "bash", record)
	var words strings.Builder
	cmd.Stderr = &words
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("post from inside: %v: %s", err, words.String())
	}
	return string(out)
}

func checkKillOfLogs(t *testing.T, s *running) {
	before := s.logs.MustRecords(t)
	logs := s.service(t, "logs")
	if err := syscall.Kill(logs.PID, syscall.SIGKILL); err != nil {
		t.Fatalf("kill the log service (process %d): %v", logs.PID, err)
	}

	last := before[len(before)-1]
	scenario.Eventually(t, 2*time.Minute, "the log service is back and the backlog has arrived", func() error {
		after, err := s.logs.Records()
		if err != nil {
			return err
		}
		if newest := after[len(after)-1]; newest.Tick < last.Tick+2 {
			return fmt.Errorf("newest record is of tick %d, want %d", newest.Tick, last.Tick+2)
		}
		return nil
	})

	checkNothingLost(t, before, s.logs.MustRecords(t))
}

// checkNothingLost compares the records before and after a crash: each seq once and dense, each identity once, all of
// before still there, and no gap in any producer's own numbering.
func checkNothingLost(t *testing.T, before, after []contract.Record) {
	t.Helper()
	type identity struct {
		host, boot, producer string
		pseq                 uint64
	}
	byIdentity := map[identity]uint64{}
	for i, r := range after {
		if want := after[0].Seq + uint64(i); r.Seq != want {
			t.Fatalf("seq %d where %d had to be", r.Seq, want)
		}
		id := identity{r.Host, r.Boot, r.Producer, r.PSeq}
		if other, twice := byIdentity[id]; twice {
			t.Fatalf("record %+v has seq %d and %d", id, other, r.Seq)
		}
		byIdentity[id] = r.Seq
	}

	for _, r := range before {
		if byIdentity[identity{r.Host, r.Boot, r.Producer, r.PSeq}] != r.Seq {
			t.Fatalf("record %d was acknowledged and is gone", r.Seq)
		}
	}
}

// service returns the running container of one compose service.
func (s *running) service(t *testing.T, role string) scenario.ContainerState {
	t.Helper()
	list := s.engine.MustList(t, contract.LabelRole+"="+role, "com.docker.compose.project="+s.compose.Project)
	if len(list) != 1 {
		t.Fatalf("%d containers of the service %s, want 1", len(list), role)
	}
	seen, err := s.engine.Inspect(t.Context(), list[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

func checkForeignUntouched(t *testing.T, s *running) {
	stranger, err := s.engine.Inspect(t.Context(), s.stranger)
	if err != nil || stranger.State != "running" {
		t.Errorf("the unlabelled stranger: state %q, %v", stranger.State, err)
	}
	for _, role := range []string{contract.ProducerLogs, contract.ProducerManager, contract.ProducerGenerator} {
		if c := s.service(t, role); c.State != "running" {
			t.Errorf("%s: %s", role, c.State)
		}
	}
	for _, r := range s.logs.MustRecords(t, contract.KindAction, contract.KindLaunch) {
		if a, ok := r.Body.(contract.ActionBody); ok && a.Container == stranger.ID {
			t.Errorf("an action on the stranger is recorded: %+v", a)
		}
	}
}

func checkDown(t *testing.T, s *running) {
	generator := s.service(t, "generator")
	if err := syscall.Kill(generator.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.downAndCheck(t)
	s.compose.Run(t, 5*time.Minute, "up", "-d", "--wait", "--wait-timeout", "240")
	s.downAndCheck(t)
}

func (s *running) downAndCheck(t *testing.T) {
	t.Helper()
	asked := time.Now()
	s.compose.Run(t, 4*time.Minute, "down", "-v")
	for _, c := range s.engine.MustList(t) {
		if !slices.Contains(s.before, c.ID) && c.Name != s.stranger && c.Labels["gestor.test"] == "" {
			t.Errorf("down left the container %s (%s, %v)", c.Name, c.State, c.Labels)
		}
	}

	for _, what := range []string{"network", "volume"} {
		out, err := exec.Command("docker", what, "ls", "-q", "--filter", "label=com.docker.compose.project="+s.compose.Project).Output()
		if err != nil || len(out) > 0 {
			t.Errorf("down left a %s: %s %v", what, out, err)
		}
	}

	// Drawn at the end, with the last records in them.
	for _, name := range []string{"memory", "processes", "population"} {
		for _, ext := range []string{".html", ".png"} {
			info, err := os.Stat(filepath.Join(s.compose.Data, "charts", name+ext))
			if err != nil || info.ModTime().Before(asked) {
				t.Errorf("chart %s%s on the volume is not newer than the stop request: %v", name, ext, err)
			}
		}
	}
}
