package main

import (
	"errors"
	"flag"
	"io"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"gestor.local/generator/internal/cadence"
)

// clearEnv unsets every setting for the test, whatever the machine has set.
func clearEnv(t *testing.T) {
	t.Helper()
	for _, pair := range os.Environ() {
		if name, value, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "GESTOR_") {
			t.Setenv(name, value) // put back at the end
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// load reads the configuration as the subcommand run does, with the flags of the names.
func load(arguments []string, names ...string) (config, error) {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return loadConfig(flags, arguments, names...)
}

func TestFlagsWinOverTheEnvironmentAndThatOverTheDefaults(t *testing.T) {
	clearEnv(t)
	t.Setenv("GESTOR_INTERVAL", "7s")
	t.Setenv("GESTOR_BATCH", "3")
	c, err := load([]string{"--interval", "9s"}, "interval", "batch")
	if err != nil {
		t.Fatal(err)
	}
	if c.Interval != 9*time.Second || c.Batch != 3 || c.MaxAlive != 40 || c.Profile != "seed" {
		t.Errorf("%+v", c)
	}
	p, err := c.effectiveProfile()
	if err != nil || p.Arrivals.Every != cadence.Span(9*time.Second) || p.Arrivals.Count != 3 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestAWrongSettingSaysWhatIsWanted(t *testing.T) {
	for pair, want := range map[string]string{
		"GESTOR_STRICT=yes": "want true or false", "GESTOR_INTERVAL=30": "want a time with its unit", "GESTOR_BATCH=ten": "want a whole number",
		"GESTOR_PARALLEL=many": "want a whole number", "GESTOR_HOSTS=*.example": "or * alone", "GESTOR_LOGS_URL=logs:8080": "must be an http address",
	} {
		t.Run(pair, func(t *testing.T) {
			clearEnv(t)
			name, value, _ := strings.Cut(pair, "=")
			t.Setenv(name, value)
			if _, err := load(nil); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) {
				t.Error(err)
			}
		})
	}
}

func TestEveryWrongSettingIsNamedAtOnce(t *testing.T) {
	clearEnv(t)
	wrong := map[string]string{
		"GESTOR_SEED": "-1", "GESTOR_INTERVAL": "1ms", "GESTOR_BATCH": "100000", "GESTOR_MAX_ALIVE": "0", "GESTOR_MAX_TOTAL": "0",
		"GESTOR_PARALLEL": "1000", "GESTOR_MAX_LATE": "0s", "GESTOR_START_TIMEOUT": "1ms", "GESTOR_MAX_FAILURES": "0",
		"GESTOR_LEASE": "1s", "GESTOR_SUITE": "a b", "GESTOR_FOR": "-1s", "GESTOR_PLAN": "x",
	}
	for name, value := range wrong {
		t.Setenv(name, value)
	}
	_, err := load([]string{"stray"})
	if !errors.Is(err, errConfig) || exitCode(err) != exitConfig {
		t.Fatalf("got %v", err)
	}
	for name := range wrong {
		if !strings.Contains(err.Error(), name+":") {
			t.Errorf("%s is missing", name)
		}
	}
	if !strings.Contains(err.Error(), "stray") {
		t.Error("the stray argument is missing")
	}
}

func TestAValueThatCannotBeReadIsNamedWithItsSetting(t *testing.T) {
	clearEnv(t)
	t.Setenv("GESTOR_INTERVAL", "soon")
	t.Setenv("GESTOR_BATCH", "many")
	_, err := load(nil)
	if err == nil || !strings.Contains(err.Error(), "GESTOR_INTERVAL:") || !strings.Contains(err.Error(), "GESTOR_BATCH:") {
		t.Errorf("got %v", err)
	}
}

func TestThePortIsThisMachinesUnlessSaid(t *testing.T) {
	clearEnv(t)
	c, err := load(nil)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := netip.ParseAddrPort(c.Listen); err != nil || !a.Addr().IsLoopback() {
		t.Errorf("listens on %s (%v)", c.Listen, err)
	}
}

func TestTheFreeMemoryTakesUnits(t *testing.T) {
	for text, want := range map[string]mebibytes{"": 256 << 20, "0": 0, "64": 64 << 20, "1GiB": 1 << 30, "512 MiB": 512 << 20} {
		clearEnv(t)
		t.Setenv("GESTOR_MIN_FREE_MIB", text)
		if c, err := load(nil); err != nil || c.MinFree != want {
			t.Errorf("%q: %d, %v, want %d", text, c.MinFree, err, want)
		}
	}
	t.Setenv("GESTOR_MIN_FREE_MIB", "much")
	if _, err := load(nil); err == nil || !strings.Contains(err.Error(), `GESTOR_MIN_FREE_MIB: "much" is no size`) {
		t.Errorf("%v", err)
	}
}

func TestIntervalFitsBatchesOnly(t *testing.T) {
	clearEnv(t)
	c, err := load([]string{"--profile", "poisson", "--interval", "9s"}, "profile", "interval")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.effectiveProfile(); err == nil || !strings.Contains(err.Error(), "poisson") {
		t.Errorf("got %v", err)
	}
}
