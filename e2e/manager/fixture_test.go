package manager

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"gestor.local/contract"
	"gestor.local/e2e/scenario"
)

// built is what TestMain makes once for all tests.
type built struct {
	binary string // the manager
	image  string // the payload's image
}

var have built

// TestMain builds the manager and imports an image that holds nothing but a static binary: no registry is needed.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer cli.Close()
		if _, err := cli.Ping(context.Background()); err != nil {
			return m.Run() // the tests skip themselves
		}
		dir, err := os.MkdirTemp("", "gestor-manager-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		if have, err = build(cli, dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _, _ = cli.ImageRemove(context.Background(), have.image, image.RemoveOptions{Force: true}) }()
		return m.Run()
	}())
}

func build(cli *client.Client, dir string) (built, error) {
	b := built{binary: filepath.Join(dir, "gestor-manager"), image: "gestor-manager-e2e/payload:" + strconv.Itoa(os.Getpid())}
	payload := filepath.Join(dir, "payload")
	for folder, out := range map[string]string{"../../services/manager": b.binary, "payload": payload} {
		cmd := exec.Command("go", "build", "-trimpath", "-o", out, ".")
		cmd.Dir, cmd.Env = folder, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-buildvcs=false")
		if folder == "payload" {
			cmd.Env = append(cmd.Env, "GOWORK=") // part of the tests' own module
		}
		if text, err := cmd.CombinedOutput(); err != nil {
			return b, fmt.Errorf("build %s: %w\n%s", folder, err, text)
		}
	}
	return b, importImage(cli, payload, b.image)
}

func importImage(cli *client.Client, binary, name string) error {
	text, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	var tape bytes.Buffer
	w := tar.NewWriter(&tape)
	if err := w.WriteHeader(&tar.Header{Name: "payload", Mode: 0o755, Size: int64(len(text))}); err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	answer, err := cli.ImageImport(context.Background(), image.ImportSource{Source: &tape, SourceName: "-"}, name,
		image.ImportOptions{Changes: []string{`ENTRYPOINT ["/payload"]`}})
	if err != nil {
		return fmt.Errorf("import %s: %w", name, err)
	}
	defer answer.Close()
	_, err = io.Copy(io.Discard, answer)
	return err
}

// house is one test's share of the engine.
type house struct {
	testing.TB
	engine *scenario.Engine
	suite  string
	state  string
}

var houses atomic.Int64

// enter skips the test where no engine answers, and removes the test's containers at its end.
func enter(t testing.TB) *house {
	t.Helper()
	if test, ok := t.(*testing.T); ok {
		test.Parallel()
	}
	h := &house{TB: t, engine: scenario.NewEngine(t), state: t.TempDir()}
	h.suite = fmt.Sprintf("manager-e2e-%d-%d", os.Getpid(), houses.Add(1))
	t.Cleanup(func() {
		left, err := h.engine.List(context.Background(), "gestor.test="+h.suite)
		if err != nil {
			t.Errorf("clean up: %v", err)
		}
		for _, c := range left {
			h.drop(c.ID)
		}
	})
	return h
}

func (h *house) drop(id string) {
	_ = h.engine.Client.ContainerRemove(context.Background(), id, container.RemoveOptions{Force: true}) // may be gone
}

// owned are the labels of a container that the test's manager owns.
func (h *house) owned(class contract.Class) map[string]string {
	return map[string]string{
		contract.LabelManaged: "true", contract.LabelClass: string(class), contract.LabelSuite: h.suite, "gestor.test": h.suite,
	}
}

// spawn starts a container that holds the given memory and returns its id.
func (h *house) spawn(name string, labels map[string]string, mib int, edit ...func(*container.HostConfig)) string {
	h.Helper()
	cmd := []string{strconv.Itoa(mib)}
	host := &container.HostConfig{NetworkMode: "none", Resources: container.Resources{Memory: 128 << 20, NanoCPUs: 500_000_000}}
	for _, e := range edit {
		e(host)
	}
	made, err := h.engine.Client.ContainerCreate(h.Context(), &container.Config{Image: have.image, Cmd: cmd, Labels: labels},
		host, nil, nil, h.suite+"-"+name)
	if err == nil {
		err = h.engine.Client.ContainerStart(h.Context(), made.ID, container.StartOptions{})
	}
	if err != nil {
		h.Fatalf("start %s: %v", name, err)
	}
	return made.ID
}

// crowd starts n low containers of which every later one holds more memory: the first three are to stay. Memory does not
// depend on how busy the machine is; the tests' policy ranks by it first. The steps are larger than a huge page.
func (h *house) crowd(n int) (ids []string) {
	h.Helper()
	for i := range n {
		ids = append(ids, h.spawn("low-"+strconv.Itoa(i), h.owned(contract.ClassLow), 8*i))
	}
	return ids
}

// present are the short names of the test's owned containers, in any state.
func (h *house) present() (names []string) {
	h.Helper()
	for _, c := range h.engine.MustList(h.TB, contract.LabelSuite+"="+h.suite) {
		names = append(names, strings.TrimPrefix(c.Name, h.suite+"-"))
	}
	return names
}

// becomes waits until exactly these containers are left.
func (h *house) becomes(within time.Duration, names ...string) {
	h.Helper()
	want := make(map[string]bool, len(names))
	for _, n := range names {
		want[n] = true
	}
	scenario.Eventually(h.TB, within, "the population is "+strings.Join(names, ", "), func() error {
		got := h.present()
		for _, n := range got {
			if !want[n] {
				return fmt.Errorf("have %v", got)
			}
		}
		if len(got) != len(want) {
			h.Fatalf("too few are left: %v", got)
		}
		return nil
	})
}
