package command

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gestor.local/program/cli"
)

// A journal that a later release wrote, as a whole or from some line on, is an error of every command that reads it: never an
// empty one that passes.
func TestAJournalOfALaterReleaseIsAnError(t *testing.T) {
	for name, lines := range map[string]int{"whole": -1, "the last line": 1} {
		e := withJournal(t)
		files, err := filepath.Glob(filepath.Join(e.Journal, "*.ndjson"))
		if err != nil || len(files) != 1 {
			t.Fatalf("%q, %v", files, err)
		}
		text, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		if lines > 0 {
			at := bytes.LastIndex(text, []byte(`"v":1`))
			text[at+len(`"v":`)] = '3'
		} else {
			text = bytes.ReplaceAll(text, []byte(`"v":1`), []byte(`"v":3`))
		}
		if err := os.WriteFile(files[0], text, 0o600); err != nil {
			t.Fatal(err)
		}

		for _, c := range []struct {
			command func(Defaults) cli.Command
			args    []string
		}{{Replay, nil}, {Replay, files[:1]}, {Explain, nil}, {Explain, []string{"l4"}}, {Explain, []string{"99"}}} {
			code, out, errs := call(c.command(e), c.args...)
			if code != 5 || out != "" || !strings.Contains(errs, "lines of version 3") || !strings.Contains(errs, "use the release that wrote it") {
				t.Errorf("%s, %v: %d\n%s%s", name, c.args, code, out, errs)
			}
		}
	}
}
