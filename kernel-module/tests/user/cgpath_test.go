package user

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

const id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestPath(t *testing.T) {
	other := strings.Repeat("ab", 32)
	pod := "/kubepods.slice/kubepods-pod0_1.slice"
	cases := []struct{ path, want string }{
		{"/", ""},
		{"", ""},
		{"/system.slice/docker.service", ""},
		{"/docker/" + id, id + " 2 docker"},
		{"/system.slice/docker-" + id + ".scope", id + " 2 docker"},
		{"/system.slice/docker-" + id + ".scope/init", id + " 2 docker"},
		{"/system.slice/docker-" + id + ".scope/docker/" + other, id + " 2 docker"},
		{"/" + id, id + " 1 "},
		{"/machine.slice/libpod-" + id + ".scope/container", id + " 2 libpod"},
		{"/machine.slice/libpod-conmon-" + id + ".scope", ""},
		{"/machine.slice/crio-conmon-" + id + ".scope", ""},
		{pod + "/cri-containerd-" + id + ".scope", id + " 3 cri-containerd"},
		{pod + "/crio-" + id, id + " 3 crio"},
		{"/kubepods/besteffort/pod0-1/" + id, id + " 4 "},
		{"/kubepods.slice:cri-containerd:" + id, id + " 1 cri-containerd"},
		{"/docker:" + id, id + " 1 docker"},
		{"//docker//" + id + "/", id + " 2 docker"},
		{"/docker-" + strings.ToUpper(id) + ".scope", ""},
		{"/docker-" + id[:63] + ".scope", ""},
		{"/docker-" + id + "0.scope", ""},
		{"/-" + id, ""},
		{"/docker_" + id, ""},
		{"/docker-" + id + ".service", ""},
		{"/a\"b-" + id, id + " 1 "},
		{"/" + strings.Repeat("x", 24) + "-" + id, id + " 1 "},
		{"/" + strings.Repeat("x", 23) + "-" + id, id + " 1 " + strings.Repeat("x", 23)},
	}
	questions := make([]string, len(cases))
	for i, c := range cases {
		questions[i] = c.path
	}
	for i, got := range start(t).ask('p', 0, questions) {
		if got != cases[i].want {
			t.Errorf("%s: %q, want %q", cases[i].path, got, cases[i].want)
		}
	}
}

var component = regexp.MustCompile(`^(?:()|(.+)-|(?:.*:)?([^:]*):)([0-9a-f]{64})(?:\.scope)?$`)

// wantPath is a second implementation, by regular expression.
func wantPath(path string) string {
	parent, level := "", 0
	for name := range strings.SplitSeq(path, "/") {
		if name == "" {
			continue
		}
		level++
		m := component.FindStringSubmatch(name)
		if m == nil || strings.HasSuffix(m[2], "conmon") {
			parent = name
			continue
		}
		runtime := m[2] + m[3]
		if len(name) == 64 || len(name) == 70 && strings.HasSuffix(name, ".scope") {
			runtime = map[bool]string{true: "docker"}[parent == "docker"]
		}
		if !regexp.MustCompile(`^[a-z0-9._-]{1,23}$`).MatchString(runtime) {
			runtime = ""
		}
		return fmt.Sprintf("%s %d %s", m[4], level, runtime)
	}
	return ""
}

// TestPathRandom puts paths together from parts that are nearly right.
func TestPathRandom(t *testing.T) {
	parts := []string{"/", "/", "docker", "-", ":", id, id[:63], id + "0", ".scope", "conmon", "libpod", "a\xff", "X", "cri-containerd", "\x00"}
	random := rand.New(rand.NewPCG(5, 6))
	questions := make([]string, 50_000)
	for i := range questions {
		for range random.IntN(12) {
			questions[i] += parts[random.IntN(len(parts))]
		}
	}
	for i, got := range start(t).ask('p', 0, questions) {
		if want := wantPath(questions[i]); got != want {
			t.Fatalf("%q: %q, want %q", questions[i], got, want)
		}
	}
}
