package page

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gestor.local/e2e/scenario"
)

// service is a log service of its own for one test.
type service struct {
	url, data string
}

// tools are the programs under test, built once.
type tools struct{ logs, simulate string }

func build(t *testing.T) tools {
	t.Helper()
	dir := t.TempDir()
	b := tools{filepath.Join(dir, "logs"), filepath.Join(dir, "simulate")}
	for out, pkg := range map[string]string{b.logs: ".", b.simulate: "./internal/chart/charttest/simulate"} {
		cmd := exec.Command("go", "build", "-o", out, pkg)
		cmd.Dir = filepath.Join("..", "..", "services", "logs")
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", pkg, err, text)
		}
	}
	return b
}

// start runs the log service on a free port with an empty data folder until the test ends.
func (b tools) start(t *testing.T) service {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	s := service{url: "http://" + addr, data: t.TempDir()}
	var out bytes.Buffer
	cmd := exec.Command(b.logs)
	cmd.Env = append(os.Environ(), "GESTOR_ADDR="+addr, "GESTOR_DATA="+s.data)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Logf("log service ended: %v\n%s", err, out.String())
		}
	})
	scenario.Eventually(t, 30*time.Second, "the log service is ready", func() error {
		r, err := http.Get(s.url + "/readyz")
		if err != nil {
			return err
		}
		r.Body.Close()
		if r.StatusCode != http.StatusOK {
			return fmt.Errorf("status %s", r.Status)
		}
		return nil
	})
	return s
}

// records are the lines of a simulated run that ends now.
func (b tools) records(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command(b.simulate, args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// lastTick is where the newest tick begins.
func lastTick(t *testing.T, lines []string) int {
	t.Helper()
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.Contains(lines[i], `"kind":"host"`) {
			return i
		}
	}
	t.Fatal("no host record")
	return 0
}

func (s service) post(t *testing.T, lines []string) {
	t.Helper()
	const batch = 5000
	for len(lines) > 0 {
		n := min(batch, len(lines))
		r, err := http.Post(s.url+"/v1/records", "application/x-ndjson", strings.NewReader(strings.Join(lines[:n], "\n")))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if r.StatusCode != http.StatusOK || strings.Contains(string(text), "rejected") {
			t.Fatalf("records refused: %s %s", r.Status, text)
		}
		lines = lines[n:]
	}
}

// draw asks for the files on the volume.
func (s service) draw(t *testing.T) {
	t.Helper()
	r, err := http.Post(s.url+"/v1/charts", "application/json", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(r.Body)
		t.Fatalf("charts refused: %s %s", r.Status, text)
	}
}
