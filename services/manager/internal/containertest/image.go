// Package containertest lets a test run its own program in a container: no registry is needed, and what runs there is code
// of the test.
package containertest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// InsideKey is set for a test program that runs in a container: its TestMain then does what the test wants there.
const InsideKey = "GESTOR_TEST_INSIDE"

// Inside says whether this process is a test's program in a container.
func Inside() bool { return os.Getenv(InsideKey) != "" } //nolint:forbidigo // of a test

// Image builds the calling package's test program without cgo into an image of its own, which goes with the test. Without an
// engine, and with -short, the test is skipped.
func Image(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and runs containers")
	}
	if out, err := exec.Command("docker", "version").CombinedOutput(); err != nil {
		t.Skipf("no docker engine: %s", out)
	}

	dir := t.TempDir()
	build := exec.Command("go", "test", "-c", "-o", filepath.Join(dir, "inside"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") //nolint:forbidigo // of a test

	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go test -c: %v\n%s", err, out)
	}

	name := fmt.Sprintf("gestor-test-%s:%d", strings.ToLower(t.Name()), os.Getpid())
	load := exec.Command("sh", "-c", `tar -C "$1" -c inside | docker import --change 'ENTRYPOINT ["/inside"]' - "$2"`, "sh", dir, name)
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("docker import: %v\n%s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("docker", "rmi", "--force", name).Run() })
	return name
}
