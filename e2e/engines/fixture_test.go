package engines

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"gestor.local/contract"
	"gestor.local/e2e/scenario"
)

// Images of one binary each, given to every engine. The payload has the name of one of the generator's too.
const (
	payloadImage = "gestor-engines-e2e/payload:latest"
	logsImage    = "gestor-engines-e2e/logs:latest"
	scriptImage  = "gestor/low-idle:latest"
)

var programs scenario.Programs

// TestMain builds the programs when there is an engine to try.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		if os.Getenv("GESTOR_ENGINES") == "" {
			return m.Run() // the test skips itself
		}
		dir, remove, err := scenario.TempDir("gestor-engines-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = remove() }()
		if programs, err = scenario.BuildPrograms(dir); err == nil {
			err = programs.BuildLogs()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

func (c *candidate) importImages(t *testing.T, engine *scenario.Engine) {
	t.Helper()
	for name, binary := range map[string]string{payloadImage: programs.Payload, scriptImage: programs.Payload, logsImage: programs.Logs} {
		if err := scenario.ImportImage(t.Context(), engine.Client, binary, name); err != nil {
			t.Fatal(err)
		}
	}
}

// withLogs starts the log service as compose would, in the engine's own network, and leads the suite's managers there. Its labels
// are those of a container that may be removed, too: that it is part of the suite is all that keeps it.
func (c *candidate) withLogs(t *testing.T, h *scenario.Suite) (scenario.Logs, string) {
	t.Helper()
	port := scenario.FreePort(t)
	labels := h.OwnedLabels(contract.ClassLow)
	labels[contract.LabelRole], labels[contract.LabelProject] = contract.ProducerLogs, h.Name
	labels[contract.LabelService], labels[contract.LabelConfigHash] = contract.ProducerLogs, "0"
	h.Run("logs", &container.Config{
		Image: logsImage, Labels: labels, Env: []string{"GESTOR_DATA=/data", "GESTOR_ADDR=127.0.0.1:" + port},
	}, &container.HostConfig{NetworkMode: "host"})

	h.Within = c.engine
	logs := scenario.Logs{URL: "http://127.0.0.1:" + port, Client: c.engine.Client()}
	scenario.Eventually(t, time.Minute, "the log service answers", func() error {
		_, err := logs.Get("/readyz", "")
		return err
	})
	return logs, "GESTOR_LOGS_URL=" + logs.URL
}

// busy starts a high container that holds memory and uses CPU.
func busy(h *scenario.Suite, name string, mib int) string {
	h.Helper()
	return h.Run(name, &container.Config{Image: payloadImage, Cmd: []string{strconv.Itoa(mib), "busy"}, Labels: h.OwnedLabels(contract.ClassHigh)},
		&container.HostConfig{NetworkMode: "none", Resources: container.Resources{Memory: 128 << 20, NanoCPUs: 100_000_000}})
}

// table is what came out, capability by engine.
type table struct {
	engines []string
	cells   map[string]map[string]string
	mu      sync.Mutex
}

// The rows that tell what an engine is.
var factRows = []string{"version", "API", "cgroups", "storage", "runtime"}

func newTable(engines []string) *table {
	return &table{engines: engines, cells: map[string]map[string]string{}}
}

func (r *table) note(engine, row, cell string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cells[engine] == nil {
		r.cells[engine] = map[string]string{}
	}
	r.cells[engine][row] = cell
}

// describe notes what the engine says of itself.
func (r *table) describe(t *testing.T, c *candidate) {
	t.Helper()
	version, err := c.client.Client.ServerVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	info, err := c.client.Client.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for row, text := range map[string]string{
		"version": version.Version,
		"API":     version.APIVersion + ", from " + version.MinAPIVersion + " on",
		"cgroups": "v" + strings.TrimPrefix(info.CgroupVersion, "v") + ", " + info.CgroupDriver,
		"storage": info.Driver,
		"runtime": info.DefaultRuntime,
	} {
		r.note(c.name, row, text)
	}
}

// write prints the table and, with a path, keeps it there.
func (r *table) write(t *testing.T, path string) {
	t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "| | %s |\n|---|%s\n", strings.Join(r.engines, " | "), strings.Repeat("---|", len(r.engines)))
	rows := slices.Clone(factRows)
	for _, c := range capabilities {
		rows = append(rows, c.name)
	}
	for _, row := range rows {
		text.WriteString("| " + row + " |")
		for _, engine := range r.engines {
			cell := r.cells[engine][row]
			if cell == "" {
				cell = "not tested"
			}
			text.WriteString(" " + cell + " |")
		}
		text.WriteString("\n")
	}
	t.Logf("engines and what they can:\n%s", text.String())
	if path != "" {
		if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
			t.Error(err)
		}
	}
}
