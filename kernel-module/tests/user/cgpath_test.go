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
		{"/docker/" + id, id + " 2 engine docker"},
		{"/system.slice/docker-" + id + ".scope", id + " 2 engine docker"},
		{"/system.slice/docker-" + id + ".scope/init", id + " 2 engine docker"},
		{"/system.slice/docker-" + id + ".scope/docker/" + other, id + " 2 engine docker"},
		{"/" + id, id + " 1 engine "},
		{"/machine.slice/libpod-" + id + ".scope/container", id + " 2 engine libpod"},
		{"/machine.slice/libpod-conmon-" + id + ".scope", ""},
		{"/machine.slice/crio-conmon-" + id + ".scope", ""},
		{pod + "/cri-containerd-" + id + ".scope", id + " 3 engine cri-containerd"},
		{pod + "/crio-" + id, id + " 3 engine crio"},
		{"/kubepods/besteffort/pod0-1/" + id, id + " 4 engine "},
		{"/kubepods.slice:cri-containerd:" + id, id + " 1 engine cri-containerd"},
		{"/docker:" + id, id + " 1 engine docker"},
		{"//docker//" + id + "/", id + " 2 engine docker"},
		{"/mine/" + id, id + " 2 other "},
		{"/mine/docker/" + id, id + " 3 other docker"},
		{"/mine/docker-" + id + ".scope", id + " 2 other docker"},
		{"/docker/mine/" + id, id + " 3 engine "},
		{"/libpod_parent/libpod-" + id, id + " 2 engine libpod"},
		{"/a.slice/a-b.slice/docker-" + id + ".scope", id + " 3 engine docker"},
		{"/a.slice/mine/docker-" + id + ".scope", id + " 3 other docker"},
		{"/user.slice/user-1.slice/user@1.service/docker-" + id + ".scope", ""},
		{"/user.slice/user-1.slice/session-2.scope/docker/" + id, ""},
		{"/system.slice/mine.service/docker/" + id, ""},
		{"/init.scope/" + id, ""},
		{"/docker-" + strings.ToUpper(id) + ".scope", ""},
		{"/docker-" + id[:63] + ".scope", ""},
		{"/docker-" + id + "0.scope", ""},
		{"/-" + id, ""},
		{"/docker_" + id, ""},
		{"/docker-" + id + ".service", ""},
		{"/a\"b-" + id, id + " 1 engine "},
		{"/" + strings.Repeat("x", 24) + "-" + id, id + " 1 engine "},
		{"/" + strings.Repeat("x", 23) + "-" + id, id + " 1 engine " + strings.Repeat("x", 23)},
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
		if m == nil || strings.HasSuffix(m[2], "conmon") {
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
	parts := []string{"/", "/", "docker", "-", ":", id, id[:63], id + "0", ".scope", "conmon", "libpod", "a\xff", "X", "cri-containerd", "\x00", ".service", ".slice", "kubepods"}
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
