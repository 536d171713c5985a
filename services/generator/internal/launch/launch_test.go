package launch

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/generator/internal/plan"
	"gestor.local/generator/internal/profile"
)

// fake makes a folder with a wrapper that runs body.
func fake(t *testing.T, body string) Launcher {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, Script), []byte("#!/bin/bash\n"+body), 0o700); err != nil {
		t.Fatal(err)
	}
	return Launcher{Dir: dir, Timeout: time.Minute, Run: "r1", Suite: "s1", Owner: "o1", Lease: time.Hour}
}

var one = plan.Start{
	Position: 7, Image: "low-idle", Class: contract.ClassLow, Name: "low-idle-7-cafe",
	Memory: "32m", CPUs: "0.25", PIDs: 16, LifetimeS: 240,
}

func TestLaunchPassesEveryArgumentAndReturnsTheID(t *testing.T) {
	l := fake(t, `printf '%s\n' "$@" >"${0%/*}/arguments"; printf '%064d\n' 9`)
	id, err := l.Launch(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("0", 63) + "9"; id != want {
		t.Errorf("id %q", id)
	}
	text, err := os.ReadFile(filepath.Join(l.Dir, "arguments"))
	if err != nil {
		t.Fatal(err)
	}
	want := "--name low-idle-7-cafe-r1 --class low --memory 32m --cpus 0.25 --pids 16 --lifetime 240 --lease 3840 " +
		"--run r1 --suite s1 --owner o1 --seq 7 --rm -- low-idle"
	if diff := cmp.Diff(strings.Fields(want), strings.Fields(string(text))); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
}

// The records of the manager name an image as the engine does: those of launches give it the same name.
func TestTheImageInTheRecordsIsTheOneThatTheWrapperStarts(t *testing.T) {
	wrapper, err := filepath.Abs("../../../../scripts/" + Script)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"high-cpu", "low-idle"} {
		out, err := exec.Command(wrapper, "--dry-run", name).Output()
		if err != nil {
			t.Skipf("the wrapper is not beside this module: %v", err)
		}
		words := strings.Fields(string(out))
		started := strings.Trim(words[len(words)-1], "'")
		if got := (Launcher{}).Image(plan.Start{Image: name}); got != contract.ImageName(started) {
			t.Errorf("%s: the records say %q, the wrapper starts %q", name, got, started)
		}
	}
}

func TestFailuresHaveTheirCause(t *testing.T) {
	for name, test := range map[string]struct {
		body string
		want Cause
	}{
		"usage":        {"exit 2", CauseUsage},
		"no image":     {"exit 3", CauseImage},
		"no engine":    {"exit 4", CauseEngine},
		"refused":      {"exit 5", CauseRefused},
		"name taken":   {"exit 7", CauseName},
		"unknown code": {"exit 99", CauseWrapper},
		"killed":       {"kill -9 $$", CauseWrapper},
		"not an id":    {"echo hello", CauseWrapper},
		"no output":    {"exit 0", CauseWrapper},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := fake(t, "echo noise >&2; echo 'launch-container.sh: in words' >&2;"+test.body).Launch(t.Context(), one)
			var failed *Error
			if !errors.As(err, &failed) || failed.Cause != test.want {
				t.Fatalf("got %v, want cause %s", err, test.want)
			}
			if strings.HasPrefix(test.body, "exit ") && test.body != "exit 0" && !strings.HasSuffix(failed.Message, "in words") {
				t.Errorf("words %q", failed.Message)
			}
		})
	}
	var failed *Error
	if _, err := (Launcher{Dir: "/nosuch", Timeout: time.Minute}).Launch(t.Context(), one); !errors.As(err, &failed) || failed.Cause != CauseWrapper {
		t.Errorf("without a wrapper: %v", err)
	}
}

// The wrapper's own child must end too: it would start the container after everybody had gone.
func TestTimeoutAndStopEndTheWholeProcessGroup(t *testing.T) {
	for want, stop := range map[Cause]func(*Launcher) context.Context{
		CauseTimeout: func(l *Launcher) context.Context { l.Timeout = 200 * time.Millisecond; return t.Context() },
		CauseStopped: func(*Launcher) context.Context {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(200*time.Millisecond, cancel)
			return ctx
		},
	} {
		t.Run(string(want), func(t *testing.T) {
			l := fake(t, `(exec -a sleeper sleep 300) & echo $! >"${0%/*}/pid"; wait`)
			ctx := stop(&l)
			_, err := l.Launch(ctx, one)
			var failed *Error
			if !errors.As(err, &failed) || failed.Cause != want {
				t.Fatalf("got %v, want cause %s", err, want)
			}
			pid, err := os.ReadFile(filepath.Join(l.Dir, "pid"))
			if err != nil {
				t.Skip("the machine was too slow to start the child within the time-out")
			}
			for range 100 { // the kernel takes a moment to end it
				state, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat")
				if err != nil || strings.Contains(string(state), ") Z ") {
					return
				}
				time.Sleep(50 * time.Millisecond)
			}
			t.Error("the wrapper's child is still there")
		})
	}
}

func scripts(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../../../scripts")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, Script)); err != nil {
		t.Skipf("the wrapper is not beside this module: %v", err)
	}
	return dir
}

func TestImagesAreThoseThatTheGoldenPlansAreMadeOf(t *testing.T) {
	got, err := Launcher{Dir: scripts(t), Timeout: time.Minute}.Images(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []profile.Image{
		{Name: "high-cpu", Class: contract.ClassHigh, Memory: "96m", CPUs: "0.25", PIDs: 16},
		{Name: "high-ram", Class: contract.ClassHigh, Memory: "288m", CPUs: "0.25", PIDs: 16},
		{Name: "low-idle", Class: contract.ClassLow, Memory: "32m", CPUs: "0.25", PIDs: 16},
		{Name: "low-pulse", Class: contract.ClassLow, Memory: "32m", CPUs: "0.25", PIDs: 16},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
}

func TestTheWrapperTakesWhatPlansSay(t *testing.T) {
	dir := scripts(t)
	p, err := profile.Load("poisson")
	if err != nil {
		t.Fatal(err)
	}
	l := Launcher{Dir: dir, Timeout: time.Minute, Run: "0123abcd", Suite: "gestor", Owner: "host:0:1:2", Lease: time.Hour}
	images, err := l.Images(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	made, err := plan.Make(1, p, images, 0, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range made.Starts {
		if _, err := l.run(t.Context(), append([]string{"--dry-run"}, l.arguments(s)...)...); err != nil {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// The wrapper is no Go program: that it writes the labels that the others read is checked here.
func TestTheWrapperWritesTheLabelsOfTheContract(t *testing.T) {
	l := Launcher{Dir: scripts(t), Timeout: time.Minute, Run: "r1", Suite: "s1", Owner: "process:b:1:2:3", Lease: time.Hour}
	command, err := l.run(t.Context(), append([]string{"--dry-run"}, l.arguments(one)...)...)
	if err != nil {
		t.Fatal(err)
	}
	for label, value := range map[string]string{
		contract.LabelManaged: "true", contract.LabelClass: "low", contract.LabelRun: "r1", contract.LabelSeq: "7",
		contract.LabelImage: "low-idle", contract.LabelSuite: "s1", contract.LabelOwner: "process:b:1:2:3", contract.LabelExpires: "",
	} {
		if !strings.Contains(command, "'"+label+"="+value) {
			t.Errorf("%s=%s is missing in %s", label, value, command)
		}
	}
}

func TestABrokenTableIsRefused(t *testing.T) {
	for _, table := range []string{"high-cpu high 96m\n", "a\tb\tc\td\tmany\tf\n", "a\tb\tc\td\t1\tf\n\n"} {
		if images, err := parseImages(table); err == nil {
			t.Errorf("%q was read as %v", table, images)
		}
	}
}
