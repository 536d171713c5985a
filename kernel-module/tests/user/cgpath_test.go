package user

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestPath(t *testing.T) {
	var questions, want []string
	for _, c := range readCases(t, "paths") {
		questions, want = append(questions, c[0]), append(want, strings.Join(c[1:], " "))
	}
	for i, got := range startDriver(t).call('p', 0, questions) {
		if strings.TrimSpace(got) != want[i] {
			t.Errorf("%s: %q, want %q", questions[i], got, want[i])
		}
	}
}

func TestOrder(t *testing.T) {
	var questions, want []string
	for _, c := range readCases(t, "doubles") {
		questions = append(questions, c[1]+"\n"+c[2], c[2]+"\n"+c[1])
		switch c[0] {
		case "path":
			want = append(want, "first", "second")
		default:
			want = append(want, "equal", "equal")
		}
	}
	for i, got := range startDriver(t).call('o', 0, questions) {
		if got != want[i] {
			t.Errorf("%q: %s, want %s", questions[i], got, want[i])
		}
	}
}

// readCases gives the fields of each line of a table that the manager's second reader is tested with too.
func readCases(t *testing.T, name string) (cases [][]string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "cgroup-"+name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.NewReplacer("{id}", id, "{pod}", strings.Repeat("ab", 32)).Replace(strings.TrimSpace(line))
		if line != "" && !strings.HasPrefix(line, "#") {
			cases = append(cases, strings.Fields(line))
		}
	}
	if len(cases) == 0 {
		t.Fatalf("no cases of %s", name)
	}
	return cases
}

var component = regexp.MustCompile(`^(?:()|(.+)-|(?:.*:)?([^:]*):)([0-9a-f]{64})(?:\.scope)?$`)

// engines matches what stands before a container's own component where only engines make groups.
var engines = regexp.MustCompile(`^(?:(?:docker|kubepods|libpod_parent)/(?s:.*)|(?:(?s:[^/]*)\.slice/)*)$`)

// wantPath is a second implementation, by regular expression.
func wantPath(path string) string {
	var above []string
	for name := range strings.SplitSeq(path, "/") {
		if name == "" {
			continue
		}
		parent := ""
		if len(above) > 0 {
			parent = above[len(above)-1]
		}
		if strings.HasSuffix(parent, ".service") || strings.HasSuffix(parent, ".scope") {
			return ""
		}
		m := component.FindStringSubmatch(name)
		pod := len(above) == 1 && parent == "libpod_parent" && len(name) == 64
		if m == nil || pod || strings.HasSuffix(m[2], "conmon") {
			above = append(above, name)
			continue
		}
		runtime := m[2] + m[3]
		if len(name) == 64 || len(name) == 70 && strings.HasSuffix(name, ".scope") {
			runtime = map[bool]string{true: "docker"}[parent == "docker"]
		}
		if !regexp.MustCompile(`^[a-z0-9._-]{1,23}$`).MatchString(runtime) {
			runtime = ""
		}
		place := "other"
		if engines.MatchString(strings.Join(append(above, ""), "/")) {
			place = "engine"
		}
		return fmt.Sprintf("%s %d %s %s", m[4], len(above)+1, place, runtime)
	}
	return ""
}

// TestPathRandom puts paths together from parts that are nearly right.
func TestPathRandom(t *testing.T) {
	parts := []string{"/", "/", "docker", "-", ":", id, id[:63], id + "0", ".scope", "conmon", "libpod", "a\xff", "X", "cri-containerd", "\x00", ".service", ".slice", "kubepods", "libpod_parent"}
	random := rand.New(rand.NewPCG(5, 6))
	questions := make([]string, 50_000)
	for i := range questions {
		for range random.IntN(12) {
			questions[i] += parts[random.IntN(len(parts))]
		}
	}
	for i, got := range startDriver(t).call('p', 0, questions) {
		if want := wantPath(questions[i]); got != want {
			t.Fatalf("%q: %q, want %q", questions[i], got, want)
		}
	}
}
