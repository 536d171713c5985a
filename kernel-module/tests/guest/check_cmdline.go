package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"unicode/utf8"
)

func cmdlineOf(id string, pid int) (string, error) {
	p, err := readProcess(id, pid)
	if err != nil {
		return "", err
	}
	return p.Cmdline, nil
}

// wantCmdline is what the module must make of /proc/PID/cmdline when at most limit bytes are asked for.
func wantCmdline(pid, limit int) (string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return "", err
	}
	cut := string(text)
	if len(cut) > limit {
		cut = cutWhole(cut[:limit])
	}
	cut = strings.TrimRight(cut, "\x00")
	var b strings.Builder
	for _, r := range strings.ReplaceAll(cut, "\x00", " ") {
		b.WriteRune(r)
	}
	return b.String(), nil
}

// cutWhole drops a tail that may be the beginning of a sequence that the cut went through.
func cutWhole(cut string) string {
	for back := 1; back < utf8.UTFMax && back <= len(cut); back++ {
		if tail := cut[len(cut)-back:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRuneInString(tail) {
				return cut
			}
			return cut[:len(cut)-back]
		}
	}
	return cut
}

func checkCmdline(m *machine) error {
	id := containerID("cmdline")
	t, err := m.start(dockerPath(id), "sleep", `--password="x\y"`, "żółw", strings.Repeat("long ", 100))
	if err != nil {
		return err
	}
	for _, limit := range []int{0, 12, 29, 30, 31, 32, 33, 34, 35, 256, 4096} {
		if err := load(fmt.Sprintf("cmdline_max=%d", limit)); err != nil {
			return err
		}
		got, err := cmdlineOf(id, t.pid)
		if err != nil {
			return err
		}
		want, err := wantCmdline(t.pid, limit)
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("cmdline_max %d: %q, want %q", limit, got, want)
		}
		if err := unload(); err != nil {
			return err
		}
	}
	return nil
}

// fuzzers are the processes that carry random names at the same time.
const fuzzers = 50

// checkFuzz: 10,000 random names, and 200 random command lines, each read back from a document that must parse.
func checkFuzz(m *machine) error {
	if err := load("max_age_ms=0 cmdline_max=256"); err != nil {
		return err
	}

	const seed = 202003745
	random := rand.New(rand.NewPCG(seed, seed))
	id := containerID("fuzz")
	for range fuzzers {
		if _, err := m.start(dockerPath(id), "rename"); err != nil {
			return err
		}
	}
	for range 10_000 / fuzzers {
		if err := m.fuzzNames(random, id); err != nil {
			return err
		}
	}
	m.killAll()
	for range 200 / fuzzers {
		if err := m.fuzzCmdlines(random, id); err != nil {
			return err
		}
	}
	return nil
}

// fuzzNames gives every fuzzer a new name and looks for all of them in one document.
func (m *machine) fuzzNames(random *rand.Rand, id string) error {
	want := map[int]string{}
	for _, t := range m.tasks {
		name := randomBytes(random, 15)
		if err := t.rename(name); err != nil {
			return err
		}
		want[t.pid] = wantName(name)
	}
	row, err := readContainer(id)
	if err != nil {
		return err
	}
	for _, p := range row.Processes {
		if p.Name != want[p.PID] {
			return fmt.Errorf("name %q, want %q", p.Name, want[p.PID])
		}
	}
	return nil
}

func (m *machine) fuzzCmdlines(random *rand.Rand, id string) error {
	defer m.killAll()
	for range fuzzers {
		if _, err := m.start(dockerPath(id), "sleep", randomBytes(random, 80), randomBytes(random, 400)); err != nil {
			return err
		}
	}
	row, err := readContainer(id)
	if err != nil {
		return err
	}
	for _, p := range row.Processes {
		want, err := wantCmdline(p.PID, 256)
		if err != nil {
			return err
		}
		if p.Cmdline != want {
			return fmt.Errorf("command line %q, want %q", p.Cmdline, want)
		}
	}
	return nil
}

// randomBytes are of any value but NUL; every other string is of bytes that are likely to form UTF-8.
func randomBytes(random *rand.Rand, most int) string {
	b := make([]byte, 1+random.IntN(most))
	likely := random.IntN(2) == 0
	for i := range b {
		b[i] = byte(1 + random.IntN(255))
		if likely {
			b[i] = "\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xb3\xed\xa0\x80\"\\\n~a\x80\xbf\xf4\x8f\x90"[random.IntN(22)]
		}
	}
	return string(b)
}
