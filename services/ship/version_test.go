package ship

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gestor.local/ship/shiptest"
)

// What a later release wrote is neither damage nor a record to send: this one's log service would refuse it for good.
func TestASpoolOfALaterReleaseIsNotOpened(t *testing.T) {
	for name, tt := range map[string]struct{ file, from, to string }{
		"an event":                {"events-*.ndjson", `"v":1`, `"v":2`},
		"an observation":          {"observations-*.ndjson", `"v":1`, `"v":2`},
		"a record of other types": {"events-*.ndjson", `"v":1`, `"pseq":"none","v":7`},
		"the state":               {stateFile, `{`, `{"v":2,`},
		"a state of other types":  {stateFile, `{`, `{"v":2,"delivered":"none",`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var service shiptest.Service
			s := open(t, dir, &service)
			appendAll(t, s, host(), launch(1))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}

			paths, err := filepath.Glob(filepath.Join(dir, tt.file))
			if err != nil || len(paths) != 1 {
				t.Fatalf("%q, %v", paths, err)
			}
			text, err := os.ReadFile(paths[0])
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.Replace(string(text), tt.from, tt.to, 1)
			if err := os.WriteFile(paths[0], []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}

			if again, err := Open(s.cfg); !errors.Is(err, ErrVersion) {
				t.Errorf("opened: %v, %v", again, err)
			}
			if after, err := os.ReadFile(paths[0]); err != nil || string(after) != changed {
				t.Errorf("the file was changed: %v\n%s", err, after)
			}
		})
	}
}
