package manager

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"gestor.local/e2e/scenario"
)

// What TestMain makes once for all tests.
var (
	programs     scenario.Programs
	payloadImage = "gestor-manager-e2e/payload:" + strconv.Itoa(os.Getpid())
)

// TestMain builds the manager and imports an image that holds nothing but a static binary: no registry is needed.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer cli.Close()
		if _, err := cli.Ping(context.Background()); err != nil {
			return m.Run() // the tests skip themselves
		}

		dir, err := os.MkdirTemp("", "gestor-manager-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)

		programs, err = scenario.BuildPrograms(dir)
		if err == nil {
			err = programs.BuildLogs()
		}
		if err == nil {
			err = scenario.ImportImage(context.Background(), cli, programs.Payload, payloadImage)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _, _ = cli.ImageRemove(context.Background(), payloadImage, image.RemoveOptions{Force: true}) }()
		return m.Run()
	}())
}

// newFixture skips the test where no engine answers, and removes the test's containers at its end.
func newFixture(t testing.TB) suite {
	t.Helper()
	if test, ok := t.(*testing.T); ok {
		test.Parallel()
	}
	return suite{scenario.NewSuite(t, scenario.NewEngine(t), programs, payloadImage)}
}
