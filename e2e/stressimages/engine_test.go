package stressimages

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mark is the run and the suite of this test's containers: no manager judges them, and only they are removed.
const mark = "e2e-stressimages"

// root is the repository.
const root = "../.."

// needEngine skips the test where it cannot be made, builds missing images, and removes this test's containers at its
// end and before it, should an earlier one have been killed.
func needEngine(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("docker"); err != nil {
		t.Skip("no docker command")
	}
	if out, err := exec.Command("docker", "version").CombinedOutput(); err != nil {
		t.Skipf("no engine answers: %s", out)
	}
	if os.Geteuid() != 0 {
		t.Skip("reading the cgroups of containers needs root")
	}
	for _, name := range []string{"high-cpu", "high-ram", "low-idle", "low-pulse"} {
		if exec.Command("docker", "image", "inspect", "gestor/"+name).Run() != nil {
			run(t, filepath.Join(root, "stress-images", "build.sh"), name)
		}
	}
	remove := func() {
		out, err := exec.Command(filepath.Join(root, "scripts", "managed-containers.sh"), "remove", "--run", mark).CombinedOutput()
		if err != nil {
			t.Errorf("remove the test's containers: %v: %s", err, out)
		}
	}
	remove()
	t.Cleanup(remove)
}

// run runs a program and returns what it printed, without the last newline.
func run(t *testing.T, name string, arguments ...string) string {
	t.Helper()
	var words strings.Builder
	cmd := exec.Command(name, arguments...)
	cmd.Stderr = &words
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", name, arguments, err, words.String())
	}
	return strings.TrimSuffix(string(out), "\n")
}

// launch starts a container with the wrapper and returns its id.
func launch(t *testing.T, arguments ...string) string {
	t.Helper()
	arguments = append([]string{"--run", mark, "--suite", mark, "--lease", "600"}, arguments...)
	return run(t, filepath.Join(root, "scripts", "launch-container.sh"), arguments...)
}
