package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"gestor.local/contract"
	"gestor.local/program/cli"
)

// running starts the service on a free port; stop ends it and returns what it said.
func running(t *testing.T, cfg config) (addr string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan net.Addr, 1), make(chan error, 1)
	go func() { ended <- serve(ctx, cfg, zerolog.Nop(), func(a net.Addr) { ready <- a }) }()
	select {
	case a := <-ready:
		return a.String(), func() error { cancel(); return <-ended }
	case err := <-ended:
		cancel()
		t.Fatal(err)
		return "", nil
	}
}

func testConfig(t *testing.T) config {
	t.Helper()
	cfg, err := loadConfig(map[string]string{"GESTOR_DATA": t.TempDir(), "GESTOR_ADDR": "127.0.0.1:0", "GESTOR_MIN_FREE": "1"})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// call runs a command with the settings, and returns what it printed and why it failed.
func call(t *testing.T, cfg config, args ...string) (out string, err error) {
	t.Helper()
	var printed bytes.Buffer
	program := cli.Program{Commands: commands(cfg), Fail: func(_ *cli.Invocation, failed error) int {
		err = failed
		return 1
	}}
	program.Run(t.Context(), args, &printed, &printed)
	return printed.String(), err
}

func TestServiceFromStartToStop(t *testing.T) {
	cfg := testConfig(t)
	addr, stop := running(t, cfg)
	cfg.Addr = addr
	body := `[{"pid":7,"container_id":"abcd","name":"n","vsz":1,"rss":2,"memory_usage":1.5,"cpu_usage":50,"action":"kept","timestamp":"2026-11-23T12:00:00Z"}]`
	res, err := http.Post("http://"+addr+"/logs", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()

	if out, err := call(t, cfg, "healthcheck"); err != nil || !strings.Contains(out, `"ok"`) {
		t.Errorf("healthcheck: %v %s", err, out)
	}

	out, err := call(t, cfg, "export", "-since", "2026-01-01T00:00:00Z")
	if err != nil {
		t.Errorf("export: %v", err)
	}
	var rows []map[string]any
	if err := json.Unmarshal([]byte(out), &rows); err != nil || len(rows) != 1 || rows[0]["cpu_usage"] != 50.0 || rows[0]["timestamp"] != "2026-11-23T12:00:00Z" {
		t.Errorf("export: %v %s", err, out)
	}

	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if out, err := call(t, cfg, "verify"); err != nil || out != "2 files, 2 records\nsound\n" {
		t.Errorf("verify: %v %s", err, out)
	}
	if _, err := call(t, cfg, "healthcheck"); err == nil || !strings.Contains(err.Error(), "is the log service running") {
		t.Errorf("healthcheck of a stopped service: %v", err)
	}
}

// What the service itself did is among the records: who asks later which release wrote them finds it there.
func TestAStartIsRecordedWithItsVersion(t *testing.T) {
	addr, stop := running(t, testConfig(t))
	res, err := http.Post("http://"+addr+"/memory", "application/json", strings.NewReader(`{"total_ram":5}`))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close() // answered, so that what was handed to the store before it is stored too

	for _, path := range []string{"/v1/records?kind=system", "/version"} {
		res, err := http.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || !strings.Contains(string(body), `"version":"`+contract.Version+`"`) {
			t.Errorf("%s: %v %s", path, err, body)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestVerifyTellsWhatWasLost(t *testing.T) {
	cfg := testConfig(t)
	addr, stop := running(t, cfg)
	res, err := http.Post("http://"+addr+"/memory", "application/json", strings.NewReader(`{"total_ram":5}`))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(cfg.Data + "/records/observations/*.ndjson")
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0], append([]byte("garbage\n"), b...), 0o600); err != nil {
		t.Fatal(err)
	}

	if out, err := call(t, cfg, "verify"); err == nil || !strings.Contains(out, "byte 0: the line does not match its checksum") {
		t.Errorf("%v %s", err, out)
	}
}

func TestVerifyReadsTheFolderThatIsNamed(t *testing.T) {
	t.Setenv("GESTOR_DATA", "/nowhere")
	copied := t.TempDir()
	if err := os.Mkdir(filepath.Join(copied, "records"), 0o700); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if code := command(t.Context(), []string{"verify", copied}, &out, &out); code != exitDone || out.String() != "0 files, 0 records\nsound\n" {
		t.Errorf("code %d: %s", code, &out)
	}
}

func TestCommandLine(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		env  map[string]string
		code int
		want string
	}{
		"help":           {args: []string{"--help"}, want: "usage: gestor-logs [COMMAND]"},
		"help of verify": {args: []string{"verify", "--help"}, want: "Exit code 0"},
		"help of export": {args: []string{"export", "--help"}, want: "assignment's JSON array"},
		"help of health": {args: []string{"healthcheck", "--help"}, want: "Exit code 0"},
		"version":        {args: []string{"version"}, want: "gestor-logs " + contract.Version + "\n"},
		"--version":      {args: []string{"--version"}, want: "gestor-logs " + contract.Version + "\n"},
		"unknown":        {args: []string{"nonsense"}, code: exitConfig, want: "no command"},
		"bad settings": {
			env: map[string]string{"GESTOR_FSYNC": "sometimes", "GESTOR_SEGMENT_BYTES": "-1"}, code: exitConfig,
			want: "GESTOR_SEGMENT_BYTES: \"-1\" is no size",
		},
		"-help after a command":     {args: []string{"verify", "-help"}, want: "Exit code 0"},
		"help after a flag":         {args: []string{"export", "-since", "1h", "--help"}, want: "assignment's JSON array"},
		"wrong flag":                {args: []string{"verify", "-every"}, code: exitConfig, want: "-every"},
		"wrong flag of export":      {args: []string{"export", "-from", "1h"}, code: exitConfig, want: "-from"},
		"wrong flag of healthcheck": {args: []string{"healthcheck", "-v"}, code: exitConfig, want: "gestor-logs: healthcheck: wrong arguments: flag provided but not defined: -v"},
		"something else":            {args: []string{"export", "data"}, code: exitConfig, want: `"data"`},
		"two folders":               {args: []string{"verify", "a", "b"}, code: exitConfig, want: `"b"`},
		"verify of no copy":         {args: []string{"verify", "/nowhere"}, code: 1, want: "/nowhere/records"},
		"settings":                  {args: []string{"settings"}, want: "  GESTOR_DATA                folder"},
		"settings beside wrong ones": {
			args: []string{"settings"}, env: map[string]string{"GESTOR_FSYNC": "sometimes"}, want: "  GESTOR_DATA                folder",
		},
		"its own name":      {args: []string{"verify", "--help"}, want: "usage: gestor-logs verify [-all] [FOLDER]\n"},
		"verify of nothing": {args: []string{"verify"}, env: map[string]string{"GESTOR_DATA": "/nowhere"}, code: 1, want: "GESTOR_DATA"},
		"unknown level":     {env: map[string]string{"GESTOR_LOG_LEVEL": "loud"}, code: exitConfig, want: "want debug, info, warn or error"},
		"no folder":         {env: map[string]string{"GESTOR_DATA": "/dev/null/x"}, code: exitStorage, want: "open store"},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			var out bytes.Buffer
			if code := command(t.Context(), c.args, &out, &out); code != c.code || !strings.Contains(out.String(), c.want) {
				t.Errorf("code %d: %s", code, &out)
			}
		})
	}
}
