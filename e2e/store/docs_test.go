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
	bin, dir := build(t), t.TempDir()
	s := start(t, bin, filepath.Join(dir, "data"))
	defer s.stop()
	for _, script := range blocks(t, "sh") {
		script = strings.ReplaceAll(script, "http://127.0.0.1:8080", s.url)
		cmd := exec.Command("bash", "-euo", "pipefail", "-c", script)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(bin)+":"+os.Getenv("PATH"),
			"GESTOR_DATA="+filepath.Join(dir, "data"), "GESTOR_ADDR="+strings.TrimPrefix(s.url, "http://"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v in\n%s\n%s", err, script, out)
		}
	}
}

// blocks returns the code blocks of docs/records.md in a language.
func blocks(t *testing.T, language string) (found []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/records.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range strings.Split(string(text), "```") {
		if block, ok := strings.CutPrefix(part, language+"\n"); ok && i%2 == 1 {
			found = append(found, block)
		}
	}
	if least := map[string]int{"sh": 6, "sql": 2}[language]; len(found) < least {
		t.Errorf("only %d examples in %s were found", len(found), language)
	}
	return found
}
