package scenario

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Manager is the manager's binary at work.
type Manager struct {
	h    *Suite
	cmd  *exec.Cmd
	out  *lines
	ops  string
	http *http.Client
	done chan error
}

// lines is what the process has printed so far.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// policy writes a policy file that ranks by memory first, and more, and returns the setting that names it.
func (h *Suite) policy(text string) string {
	h.Helper()
	path := filepath.Join(h.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte("version: 1\ntick: 2s\nrank: [ram, cpu, vsz, rss]\n"+text), 0o600); err != nil {
		h.Fatal(err)
	}
	return "GESTOR_POLICY=" + path
}

// StartManager starts the manager with a tick of 2 s and no log service: its records stay in its spool. policy is the rest of
// its policy file.
func (h *Suite) StartManager(policy string, settings ...string) *Manager {
	h.Helper()

	port := FreePort(h.TB)
	p := &Manager{h: h, out: &lines{}, ops: "http://127.0.0.1:" + port, http: defaultClient, done: make(chan error, 1)}

	if p.cmd = h.manager("run"); h.Within != nil {
		p.http = h.Within.Client()
	}

	// Nothing listens on port 9: the log service is not there.
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	p.cmd.Env = append(h.settings(), h.policy(policy), "GESTOR_OPS=127.0.0.1:"+port, "GESTOR_LOGS_URL=http://127.0.0.1:9",
		"GESTOR_LOGS_WAIT=0s", "GESTOR_FLUSH=100ms")
	p.cmd.Env = append(p.cmd.Env, settings...)

	if err := p.cmd.Start(); err != nil {
		h.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()

	h.Cleanup(func() {
		_ = p.cmd.Process.Kill() // may have ended
		if h.Failed() {
			h.Logf("the manager said:\n%s", p.out)
		}
	})
	return p
}

// settings are those that every command of the manager gets.
func (h *Suite) settings() []string {
	return append(os.Environ(), "GESTOR_SUITE="+h.Name, "GESTOR_STATE="+h.State, "GESTOR_SOURCE=procfs",
		"GESTOR_ENGINE="+h.Engine.Client.DaemonHost())
}

// PID is its process.
func (p *Manager) PID() int { return p.cmd.Process.Pid }

// Output is what it has printed so far.
func (p *Manager) Output() string { return p.out.String() }

// Stop ends the manager as docker stop does and fails the test unless it ends cleanly.
func (p *Manager) Stop() {
	p.h.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.h.Fatal(err)
	}

	select {
	case err := <-p.done:
		if err != nil {
			p.h.Errorf("the manager ended with %v", err)
		}
	case <-time.After(time.Minute):
		p.h.Error("the manager does not end on SIGTERM")
	}
}

// Kill ends the manager without a chance to do anything.
func (p *Manager) Kill() {
	p.h.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.h.Fatal(err)
	}
	<-p.done
}

// Action is one line about an action that ended.
type Action struct {
	Message, Action, Outcome, Name, Container, Why string
	Event                                          string
}

// Actions are the ends of actions so far, in order.
func (p *Manager) Actions() (out []Action) {
	for _, line := range strings.Split(p.out.String(), "\n") {
		var a Action
		if json.Unmarshal([]byte(line), &a) == nil && a.Message == "action" {
			a.Name = strings.TrimPrefix(a.Name, p.h.Name+"-")
			out = append(out, a)
		}
	}
	return out
}

// Outcome is the last outcome for the container with that short name, "" when there is none.
func (p *Manager) Outcome(name string) (last string) {
	for _, a := range p.Actions() {
		if a.Name == name {
			last = a.Outcome
		}
	}
	return last
}

// Ready is the answer of /readyz.
type Ready struct {
	Status string
	Tick   uint64
	Gates  []string
}

// Ready asks for it.
func (p *Manager) Ready() (Ready, error) {
	var r Ready
	resp, err := p.http.Get(p.ops + "/readyz")
	if err != nil {
		return r, err
	}
	defer resp.Body.Close()

	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(text, &r)
}

// WaitTicks waits for n more ticks.
func (p *Manager) WaitTicks(n uint64) {
	p.h.Helper()
	var from uint64
	Eventually(p.h.TB, 30*time.Second, fmt.Sprintf("%d ticks go by", n), func() error {
		r, err := p.Ready()
		if err != nil {
			return err
		}

		// Counted from the first answer: a manager that has not begun answers with tick 0.
		if from == 0 {
			from = max(r.Tick, 1)
		}
		if r.Tick < from+n {
			return fmt.Errorf("tick %d", r.Tick)
		}
		return nil
	})
}

// RunManager runs another subcommand of the manager on the test's state and returns what it printed.
func (h *Suite) RunManager(args ...string) string {
	h.Helper()
	out, said, code := h.Command(nil, args...)
	if code != 0 {
		h.Fatalf("manager %s: exit code %d\n%s%s", strings.Join(args, " "), code, out, said)
	}
	return string(out) + said
}

// Command runs a subcommand of the manager on the test's state, and returns what it printed and its exit code.
func (h *Suite) Command(input []byte, args ...string) (stdout []byte, stderr string, code int) {
	h.Helper()
	return h.run(h.settings(), input, args...)
}

// Command is that of the suite with the settings of the running manager.
func (p *Manager) Command(input []byte, args ...string) (stdout []byte, stderr string, code int) {
	p.h.Helper()
	return p.h.run(p.cmd.Env, input, args...)
}

func (h *Suite) run(settings []string, input []byte, args ...string) (stdout []byte, stderr string, code int) {
	h.Helper()
	cmd := h.manager(args...)
	var out, said bytes.Buffer
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = settings, bytes.NewReader(input), &out, &said

	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		h.Fatalf("manager %s: %v", strings.Join(args, " "), err)
	}
	return out.Bytes(), said.String(), cmd.ProcessState.ExitCode()
}
