package store

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Every sh block of docs/records.md works as it stands, but for the address and the folder.
func TestExamplesOfTheDocs(t *testing.T) {
	for _, tool := range []string{"bash", "curl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the examples use %s, which is not installed", tool)
		}
	}
	text, err := os.ReadFile("../../docs/records.md")
	if err != nil {
		t.Fatal(err)
	}
	bin, dir := build(t), t.TempDir()
	s := start(t, bin, filepath.Join(dir, "data"))
	defer s.stop()
	blocks := 0
	for i, part := range strings.Split(string(text), "```") {
		script, ok := strings.CutPrefix(part, "sh\n")
		if i%2 == 0 || !ok {
			continue
		}
		blocks++
		script = strings.ReplaceAll(script, "http://127.0.0.1:8080", s.url)
		cmd := exec.Command("bash", "-euo", "pipefail", "-c", script)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(bin)+":"+os.Getenv("PATH"),
			"GESTOR_DATA="+filepath.Join(dir, "data"), "GESTOR_ADDR="+strings.TrimPrefix(s.url, "http://"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v in\n%s\n%s", err, script, out)
		}
	}
	if blocks < 6 {
		t.Errorf("only %d examples were found", blocks)
	}
}
