package generator

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/ship/shiptest"
)

const root = "../.."

// fixture is what one test's generators run in: a suite of their own, a state folder, a log service.
type fixture struct {
	t      *testing.T
	binary string
	suite  string
	state  string
	logs   *shiptest.Service
	extra  []string // environment of the generators to come
}

// newFixture skips the test without an engine. It removes the suite's containers at the end.
func newFixture(t *testing.T) *fixture {
	t.Helper()
	if _, err := exec.LookPath("docker"); err != nil {
		t.Skip("no docker command")
	}
	if out, err := exec.Command("docker", "version").CombinedOutput(); err != nil {
		t.Skipf("no engine answers: %s", out)
	}

	for _, name := range []string{"high-cpu", "high-ram", "low-idle", "low-pulse"} {
		if exec.Command("docker", "image", "inspect", "gestor/"+name).Run() != nil {
			run(t, filepath.Join(root, "stress-images", "build.sh"), name)
		}
	}

	s := &fixture{
		t: t, suite: fmt.Sprintf("e2e-generator-%d-%d", os.Getpid(), time.Now().UnixNano()), state: t.TempDir(), logs: &shiptest.Service{},
	}
	s.binary = filepath.Join(t.TempDir(), "gestor-generator")
	run(t, "go", "build", "-C", filepath.Join(root, "services", "generator"), "-o", s.binary, ".")

	t.Cleanup(func() {
		if left := s.containers(); len(left) > 0 {
			run(t, "docker", append([]string{"rm", "--force"}, left...)...)
		}
	})
	return s
}

// run runs a program and returns what it printed.
func run(t *testing.T, name string, arguments ...string) string {
	t.Helper()
	var words strings.Builder
	cmd := exec.Command(name, arguments...)
	cmd.Stderr = &words
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", name, arguments, err, words.String())
	}
	return string(out)
}

// containers lists the suite's containers, in any state.
func (s *fixture) containers() []string {
	return strings.Fields(run(s.t, "docker", "ps", "--all", "--quiet", "--no-trunc", "--filter", "label=gestor.suite="+s.suite))
}

// runs are the runs that the suite's containers belong to.
func (s *fixture) runs() map[string]bool {
	found := map[string]bool{}
	for _, label := range strings.Fields(run(s.t, "docker", "ps", "--all", "--format", `{{.Label "gestor.run"}}`, "--filter", "label=gestor.suite="+s.suite)) {
		found[label] = true
	}
	return found
}

// newRun adds the runs there are to the known ones; false when there was none to add.
func (s *fixture) newRun(known map[string]bool) bool {
	before := len(known)
	maps.Copy(known, s.runs())
	return len(known) > before
}

// wrapperRuns says whether a script works for the suite.
func (s *fixture) wrapperRuns() bool {
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, path := range lines {
		if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), s.suite) { // it may have ended
			return true
		}
	}
	return false
}

// generator is one running generator.
type generator struct {
	cmd  *exec.Cmd
	said *strings.Builder
}

// start starts a generator with its own log service address.
func (s *fixture) start(arguments ...string) generator {
	s.t.Helper()
	server := httptest.NewServer(s.logs)
	s.t.Cleanup(server.Close)
	scripts, err := filepath.Abs(filepath.Join(root, "scripts"))
	if err != nil {
		s.t.Fatal(err)
	}

	g := generator{cmd: exec.Command(s.binary, append([]string{"run"}, arguments...)...), said: &strings.Builder{}}
	g.cmd.Stdout, g.cmd.Stderr = g.said, g.said
	g.cmd.Env = append(os.Environ(), "GESTOR_SUITE="+s.suite, "GESTOR_STATE="+s.state, "GESTOR_SCRIPTS="+scripts,
		"GESTOR_LOGS_URL="+server.URL, "GESTOR_OPS=127.0.0.1:0", "GESTOR_MIN_FREE_MIB=64", "GESTOR_MAX_LATE=2m",
		"GESTOR_START_TIMEOUT=2m")
	g.cmd.Env = append(g.cmd.Env, s.extra...)

	if err := g.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = g.cmd.Process.Kill() })
	return g
}

// wait returns the exit code.
func (g generator) wait(t *testing.T) int {
	t.Helper()
	_ = g.cmd.Wait() // the code says it all
	if code := g.cmd.ProcessState.ExitCode(); code >= 0 {
		return code
	}
	return 128 + int(g.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal())
}

// report is what these tests read of the generator's report.
type report struct {
	Planned, Started uint64
	Failed, Dropped  map[string]uint64
	Deaths           map[string]uint64
	Alive            int
	Fingerprint      string
}

func (s *fixture) report() (r report) {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.state, "report.json"))
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// launches returns the launch records that arrived, by run and position.
func (s *fixture) launches() map[string]map[uint64]contract.LaunchBody {
	got := map[string]map[uint64]contract.LaunchBody{}
	for _, r := range s.logs.Records() {
		if body, ok := r.Body.(contract.LaunchBody); ok {
			if got[body.Run] == nil {
				got[body.Run] = map[uint64]contract.LaunchBody{}
			}
			got[body.Run][body.Position] = body
		}
	}
	return got
}

// eventually waits until a state is reached; nothing here depends on how long that takes.
func eventually(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(300 * time.Millisecond) {
		if reached() {
			return
		}
	}
	t.Fatalf("not within three minutes: %s", what)
}
