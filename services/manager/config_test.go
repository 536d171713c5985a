package main

import (
	"bytes"
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
)

// clearEnv takes every setting of the machine away for one test.
func clearEnv(t *testing.T) {
	t.Helper()
	for _, pair := range os.Environ() {
		if name, value, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "GESTOR_") {
			t.Setenv(name, value) // gives it back at the end
			os.Unsetenv(name)
		}
	}
}

func TestEveryWrongSettingIsReportedAtOnce(t *testing.T) {
	clearEnv(t)
	wrong := map[string]string{
		"GESTOR_SOURCE": "eyes", "GESTOR_TICK": "soon", "GESTOR_LOGS_URL": "logs", "GESTOR_LOGS_LINK": "127.0.0.1:8080", "GESTOR_RECORD": "some",
		"GESTOR_LOG_LEVEL": "loud", "GESTOR_STATE": "here", "GESTOR_DRAIN": "-1s", "GESTOR_SPOOL_BYTES": "big", "GESTOR_CONSOLE": "paper",
	}
	for name, value := range wrong {
		t.Setenv(name, value)
	}
	_, err := loadConfig()
	if err == nil {
		t.Fatal("accepted")
	}
	for name := range wrong {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not reported in:\n%v", name, err)
		}
	}
}

func TestAWrongSettingSaysWhatIsWanted(t *testing.T) {
	for pair, want := range map[string]string{
		"GESTOR_DRY_RUN=yes": "want true or false", "GESTOR_TICK=5": "want a time with its unit", "GESTOR_HOSTS=gestor.example:8081": "without scheme, port or path",
		"GESTOR_LOGS_URL=http://logs:8080/?a": "want http://logs:8080", "GESTOR_LOGS_LINK=http://logs:8080#a": "want http://127.0.0.1:8080",
	} {
		t.Run(pair, func(t *testing.T) {
			clearEnv(t)
			name, value, _ := strings.Cut(pair, "=")
			t.Setenv(name, value)
			if _, err := loadConfig(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) {
				t.Error(err)
			}
		})
	}
}

func TestALogServiceElsewhereHasAnAddress(t *testing.T) {
	for name, tt := range map[string]struct {
		elsewhere, url string
		wrong, logs    string
	}{
		"here":                      {"", "", "", ""},
		"here, said":                {"false", "http://logs:8080", "", ""},
		"elsewhere":                 {"true", "https://logs.example:8443", "", "https://logs.example:8443"},
		"through a tunnel":          {"true", "http://127.0.0.1:9080", "", "http://127.0.0.1:9080"},
		"with a password":           {"true", "https://me:secret@logs.example", "", "https://me:xxxxx@logs.example"},
		"elsewhere, but not where":  {"true", "", "GESTOR_LOGS_URL does not say where", ""},
		"elsewhere, at no address":  {"true", "logs", "is not an address", ""},
		"neither true nor false":    {"yes please", "", "GESTOR_LOGS_ELSEWHERE", ""},
		"nothing, as compose would": {"", "http://logs:8080", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			clearEnv(t)
			t.Setenv("GESTOR_LOGS_ELSEWHERE", tt.elsewhere)
			t.Setenv("GESTOR_LOGS_URL", tt.url)
			c, err := loadConfig()
			if (err != nil) != (tt.wrong != "") || err != nil && !strings.Contains(err.Error(), tt.wrong) {
				t.Fatalf("%v", err)
			}
			if err != nil {
				return
			}
			start := startRecord(c, contract.DefaultPolicy()).Body.(contract.SystemBody)
			said, _ := start.Details["logs_elsewhere"].(string)
			if got := c.suite().LogsElsewhere; got != tt.logs || said != tt.logs || strings.Contains(start.Message, "elsewhere") != (tt.logs != "") {
				t.Errorf("%q, the record says %q: %s", got, said, start.Message)
			}
		})
	}
}

func TestAMissingTokenSaysWhereItIs(t *testing.T) {
	for _, elsewhere := range []bool{false, true} {
		_, err := config{TokenFile: "/nonexistent", Elsewhere: elsewhere}.token()
		if err == nil || strings.Contains(err.Error(), "data/.token") != elsewhere {
			t.Errorf("elsewhere %t: %v", elsewhere, err)
		}
	}
}

func TestSizesTakeUnits(t *testing.T) {
	clearEnv(t)
	t.Setenv("GESTOR_SPOOL_BYTES", "1MiB")
	t.Setenv("GESTOR_CMDLINE_MAX", "1KiB")
	if c, err := loadConfig(); err != nil || c.SpoolBytes != 1<<20 || c.CmdlineMax != 1024 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestPolicyOfTheFileWithOverrides(t *testing.T) {
	clearEnv(t)
	path := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte("version: 1\nquota: {low: 4, high: 1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GESTOR_POLICY", path)
	t.Setenv("GESTOR_TICK", "3s")
	t.Setenv("GESTOR_DRY_RUN", "true")
	cfg, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	d, _, err := cfg.document()
	if err != nil {
		t.Fatal(err)
	}
	if p := d.V1; p.Quota.Low != 4 || time.Duration(p.Tick) != 3*time.Second || p.Mode != contract.ModeShadow {
		t.Errorf("%+v", d.V1)
	}
	t.Setenv("GESTOR_TICK", "1ms")
	if cfg, err = loadConfig(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := cfg.document(); err == nil || !strings.Contains(err.Error(), "GESTOR_TICK") {
		t.Errorf("a tick of a millisecond: %v", err)
	}
}

func TestSubcommands(t *testing.T) {
	clearEnv(t)
	t.Setenv("GESTOR_STATE", t.TempDir())
	t.Setenv("GESTOR_OPS", "127.0.0.1:1")
	tests := []struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		{[]string{"version"}, exitDone, "gestor-manager " + contract.Version + "\n", ""},
		{[]string{"--version"}, exitDone, "gestor-manager " + contract.Version + "\n", ""},
		{[]string{"--help"}, exitDone, "usage: gestor-manager [COMMAND]", ""},
		{[]string{"settings"}, exitDone, "  GESTOR_SOURCE           auto, module or procfs (auto)\n", ""},
		{[]string{"settings", "--help"}, exitDone, "usage: gestor-manager settings\n", ""},
		{[]string{"settings", "x"}, exitConfig, "", "one argument too many"},
		{[]string{"version", "--help"}, exitDone, "usage: gestor-manager version\n", ""},
		{[]string{"run", "--help"}, exitDone, "usage: gestor-manager run\n", ""},
		{[]string{"once", "--help"}, exitDone, "usage: gestor-manager once [FLAG…]\n", ""},
		{[]string{"healthcheck", "--help"}, exitDone, "-ready", ""},
		{[]string{"check-policy", "--help"}, exitDone, "usage", ""},
		{[]string{"healthcheck"}, 1, "", "healthcheck: "},
		{[]string{"reload", "--help"}, exitDone, "2 when it was refused", ""},
		{[]string{"reload"}, 1, "", "GESTOR_OPS=127.0.0.1:1"},
		{[]string{"check-policy", "/nonexistent"}, exitConfig, "", "nonexistent"},
		{[]string{"run", "now"}, exitConfig, "", "one argument too many"},
		{[]string{"govern"}, exitConfig, "", "gestor-manager: unknown command"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := dispatch(context.Background(), tt.args, &stdout, &stderr)
			if code != tt.code || !strings.Contains(stdout.String(), tt.stdout) || !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("code %d, stdout %q, stderr %q", code, stdout.String(), stderr.String())
			}
		})
	}
}

func TestNobodyEnforcesWithoutASuite(t *testing.T) {
	clearEnv(t)
	for _, tt := range []struct {
		name, policy, suite string
		dryRun              bool
		refused             bool
	}{
		{name: "enforce", policy: "version: 1\nmode: enforce", refused: true},
		{name: "enforce for a suite", policy: "version: 1\nmode: enforce", suite: "s"},
		{name: "enforce that is only shown", policy: "version: 1\nmode: enforce", dryRun: true},
		{name: "shadow", policy: "version: 1\nmode: shadow"},
		{name: "observe", policy: "version: 1\nmode: observe"},

		{name: "the default", refused: true},
		{name: "the default for a suite", suite: "s"},
		{name: "the default that is only shown", dryRun: true},
		{name: "version 2", policy: "version: 2", refused: true},
		{name: "version 2, one of several selectors", policy: "version: 2\nown: [{image: a}, {labels: [gestor.managed=true, team]}]", refused: true},
		{name: "version 2, others' containers", policy: "version: 2\nown: [{image: a}]"},
		{name: "version 2, nobody's", policy: "version: 2\nown: []"},
		{name: "version 2, observed", policy: "version: 2\nmode: observe"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "policy.yaml")
			writePolicy(t, path, tt.policy+"\n")
			if tt.policy == "" {
				path = ""
			}
			cfg := config{Policy: path, Suite: tt.suite, DryRun: tt.dryRun}
			err := newPolicyFile(cfg).read().Err
			if refused := err != nil; refused != tt.refused {
				t.Errorf("refused %t (%v), want %t", refused, err, tt.refused)
			}
			if err != nil && !(strings.Contains(err.Error(), "GESTOR_SUITE") && strings.Contains(err.Error(), "GESTOR_DRY_RUN")) {
				t.Errorf("%v does not say what to do", err)
			}

			// Whoever only shows what it would do needs none.
			shown := newPolicyFile(cfg)
			shown.onlyShown = true
			if err := shown.read().Err; err != nil {
				t.Errorf("only shown: %v", err)
			}
		})
	}
}

func TestThePortIsThisMachinesUnlessSaid(t *testing.T) {
	clearEnv(t)
	c, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	if a, err := netip.ParseAddrPort(c.Ops); err != nil || !a.Addr().IsLoopback() {
		t.Errorf("listens on %s (%v)", c.Ops, err)
	}
}

// What explain points to is an address that people reach: inside of compose that is another one than the manager's own.
func TestExplainPointsToTheAddressOfPeople(t *testing.T) {
	for name, want := range map[string]struct {
		c    config
		logs string
	}{
		"one for both": {config{LogsURL: "http://127.0.0.1:8080"}, "http://127.0.0.1:8080"},
		"a password":   {config{LogsURL: "http://me:secret@logs:8080"}, "http://me:xxxxx@logs:8080"},
		"elsewhere":    {config{LogsURL: "https://logs.example", LogsLink: "http://127.0.0.1:8080", Elsewhere: true}, "https://logs.example"},
		"two":          {config{LogsURL: "http://logs:8080", LogsLink: "http://127.0.0.1:9080"}, "http://127.0.0.1:9080"},
	} {
		if got := explainJournal(want.c).Logs; got != want.logs {
			t.Errorf("%s: %q, want %q", name, got, want.logs)
		}
	}
}

func TestExitCodesTellTheCause(t *testing.T) {
	clearEnv(t)
	closed := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(closed, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name     string
		settings map[string]string
		code     int
	}{
		{"a wrong setting", map[string]string{"GESTOR_RECORD": "x"}, exitConfig},
		{"a log service elsewhere, but not where", map[string]string{"GESTOR_LOGS_ELSEWHERE": "true"}, exitConfig},
		{"no token for a log service elsewhere", map[string]string{
			"GESTOR_LOGS_ELSEWHERE": "true", "GESTOR_LOGS_URL": "http://192.0.2.1:8080", "GESTOR_TOKEN_FILE": "/nonexistent",
		}, exitConfig},
		{"a policy that cannot be read", map[string]string{"GESTOR_POLICY": t.TempDir()}, exitConfig},
		{"no policy file is no mistake", map[string]string{
			"GESTOR_POLICY": "/nonexistent", "GESTOR_ENGINE": "unix:///nonexistent", "GESTOR_ENGINE_WAIT": "0s",
		}, exitEngine},
		{"a tick that no policy of version 2 has", map[string]string{
			"GESTOR_POLICY": filepath.Join("..", "..", "policy", "examples", "lab.yaml"), "GESTOR_TICK": "1500ms",
		}, exitConfig},
		{"nobody's containers to enforce on", map[string]string{"GESTOR_SUITE": ""}, exitConfig},
		{"no address", map[string]string{"GESTOR_ENGINE": "nonsense"}, exitConfig},
		{"no engine", map[string]string{"GESTOR_ENGINE": "unix:///nonexistent", "GESTOR_ENGINE_WAIT": "0s"}, exitEngine},
		{"a version that the engine does not speak", map[string]string{"GESTOR_ENGINE": newDaemon(t), "DOCKER_API_VERSION": "1.99"}, exitEngine},
		{"no version", map[string]string{"GESTOR_ENGINE": newDaemon(t), "DOCKER_API_VERSION": "x"}, exitConfig},
		{"no host", map[string]string{"GESTOR_ENGINE": newDaemon(t), "GESTOR_PROC": "/nonexistent"}, exitSource},
		{"no folder for the state", map[string]string{"GESTOR_ENGINE": newDaemon(t), "GESTOR_STATE": closed}, exitStorage},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("DOCKER_API_VERSION", "")
			t.Setenv("GESTOR_SUITE", "s")
			for name, value := range tt.settings {
				t.Setenv(name, value)
			}
			var out bytes.Buffer
			if code := dispatch(context.Background(), []string{"run"}, &out, &out); code != tt.code {
				t.Errorf("code %d, want %d: %s", code, tt.code, out.String())
			}
		})
	}
}

func TestTheTableIsForTerminalsUnlessAskedFor(t *testing.T) {
	for console, want := range map[string]bool{consoleAuto: false, consoleJSON: false, consoleTable: true} {
		if got := (config{Console: console}).forPeople(&bytes.Buffer{}); got != want {
			t.Errorf("%s: table %t, want %t", console, got, want)
		}
	}
}
