package scenario

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// Programs are the binaries that a test runs or puts into images, built once for all tests of a package.
type Programs struct {
	Manager string
	Logs    string // the log service; built by BuildLogs
	Payload string // what containers run: it holds memory and waits

	root string // of the repository
}

// BuildPrograms builds the manager and the payload into a folder.
func BuildPrograms(dir string) (Programs, error) {
	root, err := findRoot()
	if err != nil {
		return Programs{}, err
	}

	p := Programs{root: root, Manager: filepath.Join(dir, "gestor-manager"), Payload: filepath.Join(dir, "payload")}
	if err := p.build("services/manager", p.Manager, "off"); err != nil {
		return p, err
	}
	return p, p.build("e2e/scenario/payload", p.Payload, "") // part of the tests' own module
}

// BuildLogs builds the log service beside the others.
func (p *Programs) BuildLogs() error {
	p.Logs = filepath.Join(filepath.Dir(p.Manager), "gestor-logs")
	return p.build("services/logs", p.Logs, "off")
}

// build makes a static binary of the program in a folder of the repository.
func (p *Programs) build(folder, out, workspace string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-o", out, ".")
	cmd.Dir = filepath.Join(p.root, folder)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOWORK="+workspace)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", folder, err, text)
	}
	return nil
}

// ImportImage gives an engine an image that holds nothing but a static binary and two folders: no registry is needed.
func ImportImage(ctx context.Context, cli *client.Client, binary, name string) error {
	text, err := os.ReadFile(binary)
	if err != nil {
		return err
	}

	// The root file system as a tape archive: two folders that anybody may write to, and the binary.
	entry := "/" + filepath.Base(binary)
	var tape bytes.Buffer
	w := tar.NewWriter(&tape)
	for _, folder := range []string{"data/", "tmp/"} {
		if err := w.WriteHeader(&tar.Header{Name: folder, Typeflag: tar.TypeDir, Mode: 0o1777}); err != nil {
			return err
		}
	}
	if err := w.WriteHeader(&tar.Header{Name: entry[1:], Mode: 0o755, Size: int64(len(text))}); err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}

	// The engine answers while it works: the image is there when the answer has ended.
	answer, err := cli.ImageImport(ctx, image.ImportSource{Source: &tape, SourceName: "-"}, name,
		image.ImportOptions{Changes: []string{`ENTRYPOINT ["` + entry + `"]`}})
	if err != nil {
		return fmt.Errorf("import %s: %w", name, err)
	}
	defer answer.Close()

	_, err = io.Copy(io.Discard, answer)
	return err
}
