package docs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/e2e/scenario"
)

// notRun are the commands of the pages that the test does not run, and why.
func notRun() []exception {
	const (
		kernel  = "loads a module into the kernel of this host: kernel-module/tests boots kernels for that"
		another = "is for a host whose log service is on another one"
		podman  = "is for a host with podman's service: e2e/engines has its tests with podman"
		webhook = "is for a host with a webhook: services/manager has its tests with one"
		govern  = "is for a host whose own containers are to be governed: scripts/tests and e2e/suite have their tests without the generator"
		tokens  = "locks the other examples out: services/logs and e2e/page have their tests with tokens"
	)
	return []exception{
		{"README.md", "make up", "the suite is up, from images that the stage images has built"},
		{"README.md", "make govern", govern},
		{"README.md", "scripts/gestor check-policy --host policy/host.yaml", govern},
		{"README.md", "scripts/gestor policy-plan", govern},
		{"README.md", "make approve", govern},
		{"docs/own-host.md", "make govern", govern},
		{"docs/own-host.md", "scripts/gestor whatif --policy policy/host.yaml --from 7d", govern},
		{"docs/own-host.md", `scripts/gestor whatif --policy policy/host.yaml --from "2026-11-30 08:00" --to "2026-11-30 18:00" --json`, govern},
		{"README.md", "make down", "runs as the last one: the other examples need the suite"},
		{"README.md", "curl -N 'http://127.0.0.1:8080/v1/tail'", "goes on until it is ended"},
		{"README.md", "make insmod", kernel},
		{"README.md", "sudo jq '.memory, .containers[0]' /proc/sysinfo_gestor", kernel},
		{"README.md", "make rmmod", kernel},
		{"README.md", "make dkms", kernel},
		{"CONTRIBUTING.md", "scripts/ensure.sh docker compose go test-tools lint-tools chromium qemu", "installs on this host what the tests run with"},
		{"docs/operating.md", "systemctl enable --now podman.socket", podman},
		{"docs/operating.md", "export DOCKER_HOST=unix:///run/podman/podman.sock", podman},
		{"docs/operating.md", "scripts/launch-container.sh low-idle", podman},
		{"docs/operating.md", "GESTOR_ENGINE=$DOCKER_HOST GESTOR_SUITE=gestor gestor-manager", podman},
		{"docs/operating.md", "docker save gestor/{manager,logs,generator,high-cpu,high-ram,low-idle,low-pulse} debian:trixie-slim | podman load", podman},
		{"docs/operating.md", `printf '\n%s\n' COMPOSE_FILE=compose.yaml:compose.podman.yaml GESTOR_DOCKER_SOCKET=/run/podman/podman.sock >> .env`, podman},
		{"docs/operating.md", "DOCKER_HOST=unix:///run/podman/podman.sock docker compose up -d --no-build", podman},
		{"docs/operating.md", "GESTOR_PORT=9080 GESTOR_OPS_PORT=9081 GESTOR_DATA_DIR=./data2 docker compose -p second up -d", "fixed ports on the host: e2e/suite and this test start suites with others"},
		{"docs/operating.md", "sudo install -D -m 0400 -o 0 -g 0 token data/.state/manager/token", another},
		{"docs/operating.md", "cat > compose.override.yaml <<'YAML'", another},
		{"docs/operating.md", "docker compose up -d --no-deps manager", another},
		{"docs/operating.md", "mkdir -p -m 0700 secrets", webhook},
		{"docs/operating.md", "echo https://hooks.example/services/T000/B000/XXXX > secrets/notify_url; chmod 0444 secrets/notify_url", webhook},
		{"docs/operating.md", `printf '\n%s\n' COMPOSE_FILE=compose.yaml:compose.notify.yaml >> .env`, webhook},
		{"docs/operating.md", "mkdir -m 0700 secrets", tokens},
		{"docs/operating.md", "for t in write read; do head -c 32 /dev/urandom | base64 > secrets/${t}_token; chmod 0444 secrets/${t}_token; done", tokens},
		{"docs/operating.md", `printf '\n%s\n' COMPOSE_FILE=compose.yaml:compose.tokens.yaml >> .env`, tokens},
		{"docs/operating.md", "make up", tokens},
		{"docs/operating.md", `curl -sH "Authorization: Bearer $(cat secrets/read_token)" 'http://127.0.0.1:8080/v1/records?limit=5'`, tokens},
	}
}

// exception is a command of a page, by its first line without the comment, that is not run.
type exception struct{ page, line, why string }

var comment = regexp.MustCompile(`\s+#\s.*$`)

// step is one command of a block, of one line or more.
type step struct {
	line int // on the page
	text string
}

// steps divides a block of a page into commands and leaves out those that are not run. A here document, a loop and a line that
// goes on in the next one are one.
func steps(t *testing.T, b block, left map[exception]bool) (found []step) {
	t.Helper()
	var now step
	for i, line := range strings.Split(strings.TrimSuffix(b.text, "\n"), "\n") {
		if now.text == "" {
			if bare := strings.TrimSpace(line); bare == "" || strings.HasPrefix(bare, "#") {
				continue
			}
			now.line = b.line + i
		}
		now.text += line + "\n"
		if !whole(t, now.text) {
			continue
		}
		if !leave(b, now, left) {
			found = append(found, now)
		}
		now = step{}
	}
	if now.text != "" {
		t.Errorf("%s:%d: a command that does not end:\n%s", b.page, now.line, now.text)
	}
	return found
}

// leave tells whether a step begins with a line that is not run, and notes that it is there.
func leave(b block, s step, left map[exception]bool) bool {
	line, _, _ := strings.Cut(s.text, "\n")
	bare := strings.TrimSpace(comment.ReplaceAllString(line, ""))
	for _, e := range notRun() {
		if e.page == b.page && e.line == bare {
			left[e] = true
			return true
		}
	}
	return false
}

var heredoc = regexp.MustCompile(`<<-?\s*['"]?(\w+)['"]?`)

// whole tells whether bash takes a text for whole commands.
func whole(t *testing.T, text string) bool {
	t.Helper()
	if strings.HasSuffix(text, "\\\n") {
		return false
	}
	for _, m := range heredoc.FindAllStringSubmatch(strings.ReplaceAll(text, "<<<", ""), -1) {
		if !regexp.MustCompile(`(?m)^\s*` + m[1] + `$`).MatchString(text) {
			return false
		}
	}
	err := exec.Command("bash", "-n", "-c", text).Run()
	var wrong *exec.ExitError
	if err != nil && !errors.As(err, &wrong) {
		t.Fatal(err)
	}
	return err == nil
}

func TestBlocksAreDividedIntoCommands(t *testing.T) {
	b := block{page: "README.md", line: 10, text: "a | b # c\n\n# only a comment\ncat > f <<'END'\nx\nEND\nfor i in 1; do\n  d\ndone\nmake up    # not run\ne \\\n  f\njq . <<<\"$x\"\ng |\n h\n"}
	want := []step{
		{10, "a | b # c\n"}, {13, "cat > f <<'END'\nx\nEND\n"}, {16, "for i in 1; do\n  d\ndone\n"}, {20, "e \\\n  f\n"}, {22, "jq . <<<\"$x\"\n"}, {23, "g |\n h\n"},
	}
	left := map[exception]bool{}
	if got := steps(t, b, left); !slices.Equal(got, want) || len(left) != 1 {
		t.Errorf("got  %+v, %v\nwant %+v", got, left, want)
	}
}

// ofTheHost is what changes more than the suite of the clone: whoever runs the tests has it done on the machine under them.
var ofTheHost = regexp.MustCompile(`\b(sudo|systemctl|podman|apt-get|dnf|pacman|modprobe|insmod|rmmod|dkms(-remove)?|make (up|govern|ensure|clean|test|soak|bench))\b`)

func TestNoExampleThatIsRunChangesTheHost(t *testing.T) {
	for name, text := range pages(t, scenario.Root(t)) {
		for _, b := range read(name, text) {
			if b.language != "sh" {
				continue
			}
			for _, s := range steps(t, b, map[exception]bool{}) {
				command := comment.ReplaceAllString(strings.TrimSuffix(s.text, "\n"), "")
				if what := ofTheHost.FindString(command); what != "" {
					t.Errorf("%s:%d: %s would change the host that the tests run on: name the line in notRun", name, s.line, what)
				}
			}
		}
	}
}

// Nobody is told of a line that is not run when there is no such line any more.
func TestWhatIsNotRunIsThere(t *testing.T) {
	left := map[exception]bool{}
	for name, text := range pages(t, scenario.Root(t)) {
		for _, b := range read(name, text) {
			if b.language == "sh" {
				steps(t, b, left)
			}
		}
	}
	for _, e := range notRun() {
		if !left[e] {
			t.Errorf("%s has no line %q any more: take it out of notRun", e.page, e.line)
		}
	}
}

// clone is a clone of the repository with a running suite, and a reader in its folder.
type clone struct {
	compose *scenario.Compose
	network *scenario.Network
	home    string // of curl's settings
}

// TestExamples starts the suite from a clone, as make up leaves it, and runs the examples of every page in the clone's folder:
// in a clean environment, in a network in which the page has the port that the pages say.
func TestExamples(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes: left out by -short")
	}
	for _, tool := range []string{"bash", "curl", "jq", "make"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the examples use %s, which is not installed", tool)
		}
	}
	root := scenario.Root(t)
	c := start(t, root)
	t.Run("the wrapper knows the commands of the services", func(t *testing.T) { c.knowsTheCommands(t, root) })

	all := pages(t, root)
	var names []string
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, b := range read(name, all[name]) {
			if b.language == "sh" {
				t.Run(fmt.Sprintf("%s:%d", name, b.line), func(t *testing.T) { c.follow(t, b) })
			}
		}
	}
	if t.Failed() {
		words, _ := c.compose.Try(time.Minute, "logs", "--no-color", "--tail", "40") // what there is of them
		t.Log(words)
	}
	t.Run("make down", func(t *testing.T) { c.follow(t, block{page: "README.md", language: "sh", text: "make -s down 2>&1\n"}) })
}

// start makes the clone and starts the suite.
func start(t *testing.T, root string) *clone {
	t.Helper()
	engine := scenario.NewEngine(t)
	c := &clone{network: scenario.NewNetwork(t), home: t.TempDir()}
	// An answer that is none fails: with -s alone curl ends well with any status.
	write(t, filepath.Join(c.home, ".curlrc"), "fail\nshow-error\nmax-time = 60\n")
	c.compose = &scenario.Compose{Project: "gestor-e2e-docs-" + strconv.Itoa(os.Getpid()), Root: copyOf(t, root)}
	if os.Getenv("GESTOR_IMAGES") != "built" { // by hand: what is tagged is taken as it is
		(&scenario.Compose{Project: c.compose.Project, Root: root}).Run(t, 20*time.Minute, "build", "-q")
	}

	page, ops := scenario.FreePort(t), scenario.FreePort(t)
	c.network.Forward(t, "127.0.0.1:8080", "127.0.0.1:"+page)
	c.network.Forward(t, "127.0.0.1:8081", "127.0.0.1:"+ops)
	write(t, filepath.Join(c.compose.Root, ".env"), fmt.Sprintf("COMPOSE_PROJECT_NAME=%s\nGESTOR_PORT=%s\nGESTOR_OPS_PORT=%s\nGESTOR_ENGINE_USER=65532:%d\n",
		c.compose.Project, page, ops, groupOfSocket(t)))

	removeLater(t, engine, c.compose)
	c.compose.Run(t, 5*time.Minute, "up", "-d", "--wait", "--wait-timeout", "240")
	logs := scenario.Logs{URL: "http://127.0.0.1:" + page}
	scenario.Eventually(t, 2*time.Minute, "a container was removed: there is something to look at", func() error {
		actions, err := logs.Records(contract.KindAction)
		if err == nil && len(actions) == 0 {
			err = errors.New("no action yet")
		}
		return err
	})
	return c
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // other users read it in containers
		t.Fatal(err)
	}
}

// copyOf copies the repository's files, as a clone has them.
func copyOf(t *testing.T, root string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range files(t, root) {
		from, to := filepath.Join(root, name), filepath.Join(dir, name)
		info, err := os.Lstat(from)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(to), 0o755) //nolint:gosec // like a clone's
		}
		if err != nil {
			t.Fatal(err)
		}
		if !info.Mode().IsRegular() {
			continue // nothing that an example needs
		}
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, text, info.Mode().Perm())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// groupOfSocket is the group that make up gives to manager and generator.
func groupOfSocket(t *testing.T) uint32 {
	t.Helper()
	info, err := os.Stat("/var/run/docker.sock")
	if err != nil {
		t.Skipf("the engine has another socket than the pages' readers: %v", err)
	}
	return info.Sys().(*syscall.Stat_t).Gid
}

// removeLater takes the suite down at the end, and with it what the examples have started.
func removeLater(t *testing.T, engine *scenario.Engine, compose *scenario.Compose) {
	t.Helper()
	var before []string
	for _, c := range engine.MustList(t) {
		before = append(before, c.ID)
	}
	t.Cleanup(func() {
		if out, err := compose.Try(4*time.Minute, "down", "-v"); err != nil {
			t.Errorf("down: %v: %s", err, out)
		}
		list, err := engine.List(context.Background(), contract.LabelManaged+"=true")
		if err != nil {
			t.Error(err)
		}
		for _, c := range list {
			if !slices.Contains(before, c.ID) && ofTheExamples(c.Labels, compose.Project) {
				_ = exec.Command("docker", "rm", "-f", c.ID).Run() // may have ended by itself
			}
		}
	})
}

// ofTheExamples tells whether the clone's suite started a container with these labels, or a command of the pages did by hand: those
// name the suite gestor, and what the generator of a real suite of that name starts meanwhile carries its run.
func ofTheExamples(labels map[string]string, project string) bool {
	run := labels[contract.LabelRun]
	return labels[contract.LabelSuite] == project || labels[contract.LabelSuite] == "gestor" && (run == "" || run == "manual")
}

func TestOnlyWhatTheExamplesStartedIsRemoved(t *testing.T) {
	for name, tt := range map[string]struct {
		suite, run string
		want       bool
	}{
		"the clone's suite":                    {"gestor-e2e-docs-1", "r1", true},
		"docker run of the README":             {"gestor", "", true},
		"launch-container.sh":                  {"gestor", "manual", true},
		"the generator of a suite on the host": {"gestor", "r1", false},
		"another suite":                        {"web", "", false},
	} {
		labels := map[string]string{contract.LabelSuite: tt.suite, contract.LabelRun: tt.run}
		if got := ofTheExamples(labels, "gestor-e2e-docs-1"); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// follow runs a block as it stands: every command of it ends with 0, and the ones that ask for something print it.
func (c *clone) follow(t *testing.T, b block) {
	todo := steps(t, b, map[exception]bool{})
	if len(todo) == 0 {
		t.Skip("nothing of it is run: see notRun")
	}
	answers, errs, err := c.run(t, todo)
	for i, answer := range answers {
		if todo[i].asks() && strings.TrimSpace(answer) == "" {
			t.Errorf("%s:%d: nothing was printed by\n%s", b.page, todo[i].line, todo[i].text)
		}
	}
	if len(answers) < len(todo) {
		failed := todo[len(answers)]
		t.Fatalf("%s:%d: %v in\n%s%s", b.page, failed.line, err, failed.text, tail(errs))
	}
	if missing := missing(b.shows, strings.Join(answers, "")); missing != "" {
		t.Errorf("%s:%d: the page shows a line like %q, and what was printed has none after the ones before:\n%s", b.page, b.line, missing, tail(strings.Join(answers, "")))
	}
}

// tail is the end of a long text.
func tail(text string) string { return text[max(0, len(text)-2000):] }

// asks tells whether a command is there to print something.
func (s step) asks() bool {
	asking := regexp.MustCompile(`(^|\s)(curl|jq|scripts/[a-z.-]+|docker ps)\s`)
	elsewhere := regexp.MustCompile(`\s>\s|\s-so\s|^\w+=\$\(|--quiet`)
	return asking.MatchString(s.text) && !elsewhere.MatchString(s.text)
}

// end stands behind the output of every step.
const end = "\x1e\n"

// run runs the steps in one shell and returns what each that ended well has printed.
func (c *clone) run(t *testing.T, todo []step) (answers []string, errs string, err error) {
	t.Helper()
	script := "set -euo pipefail\n"
	for _, s := range todo {
		script += s.text + "printf '\\036\\n'\n"
	}
	environment := []string{"-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + os.Getenv("HOME"), "CURL_HOME=" + c.home}
	cmd := c.network.Command("env", append(environment, "timeout", "120", "bash", "-c", script)...)
	cmd.Dir = c.compose.Root
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	err = cmd.Run()
	answers = strings.Split(out.String(), end)
	return answers[:len(answers)-1], words.String() + answers[len(answers)-1], err
}

// missing is the first line of what a page shows that what was printed does not have, in this order: "" when nothing is
// missing. Numbers are any number, … is anything.
func missing(shown, printed string) string {
	number := regexp.MustCompile(`[0-9]+`)
	lines := strings.Split(printed, "\n")
	for want := range strings.Lines(shown) {
		want = strings.TrimSpace(want)
		pattern := strings.ReplaceAll(regexp.QuoteMeta(number.ReplaceAllString(want, "0")), "…", ".*")
		like := regexp.MustCompile(`^\s*` + pattern + `\s*$`)
		at := slices.IndexFunc(lines, func(line string) bool { return like.MatchString(number.ReplaceAllString(line, "0")) })
		if want != "" && at < 0 {
			return want
		}
		lines = lines[at+1:]
	}
	return ""
}

func TestWhatThePageShowsIsCompared(t *testing.T) {
	for _, tt := range []struct{ name, shown, printed, missing string }{
		{"the same", "2 files, 14 records\nsound\n", "2 files, 14 records\nsound\n", ""},
		{"other numbers", "2 files, 14 records\n", "10 files, 1 records\n", ""},
		{"among others", "b 1\n", "a\n  b 2\nc\n", ""},
		{"in another order", "a\nb\n", "b\na\n", "b"},
		{"another word", "sound\n", "damaged\n", "sound"},
		{"a part of a line", "sound\n", "not sound\n", "sound"},
		{"anything", "tick 5, …\n", "tick 70, snapshot 9\n", ""},
	} {
		if got := missing(tt.shown, tt.printed); got != tt.missing {
			t.Errorf("%s: %q is missing, want %q", tt.name, got, tt.missing)
		}
	}
}

// knowsTheCommands compares the table of scripts/gestor with what the programs say of themselves.
func (c *clone) knowsTheCommands(t *testing.T, root string) {
	table := readTable(t, root)
	ofCompose := []string{"run", "healthcheck", "help"}
	row := regexp.MustCompile(`(?m)^  ([a-z][a-z-]+)\b.* {2,}\S`)
	for _, service := range []string{"manager", "generator", "logs"} {
		out, err := exec.Command("docker", "run", "--rm", "--network", "none", "gestor/"+service, "--help").Output()
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, m := range row.FindAllStringSubmatch(string(out), -1) {
			found++
			knows := func(c command) bool { return c.name == m[1] && (c.service == service || c.service == "all") }
			if !slices.Contains(ofCompose, m[1]) && !slices.ContainsFunc(table, knows) {
				t.Errorf("scripts/gestor does not know the command %s of gestor-%s", m[1], service)
			}
		}
		if found < 4 {
			t.Errorf("only %d commands were found in\n%s", found, out)
		}
	}
	for _, row := range table {
		if row.service == "manager" {
			knowsTheFiles(t, row)
		}
	}
}

// knowsTheFiles compares the options that a command of the manager says to be files with those that scripts/gestor mounts.
func knowsTheFiles(t *testing.T, row command) {
	t.Helper()
	out, err := exec.Command("docker", "run", "--rm", "--network", "none", "gestor/manager", row.name, "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	option := regexp.MustCompile(`(?m)^  -([a-z-]+) string\n(.*)$`)
	files := strings.Split(strings.ReplaceAll(row.files, "<", ""), ",") // < is handed on as the standard input
	for _, m := range option.FindAllStringSubmatch(string(out), -1) {
		if isFile := regexp.MustCompile(`\b(file|folder|path)\b`).MatchString(m[2]); isFile != slices.Contains(files, "--"+m[1]) {
			t.Errorf("%s -%s is a file: %t; scripts/gestor knows %s", row.name, m[1], isFile, row.files)
		}
	}
}
