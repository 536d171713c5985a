package replay

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"

	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/journal/journaltest"
	"gestor.local/manager/internal/journal/line"
	"gestor.local/manager/internal/rules/rulestest"
)

// recordHost writes so many ticks of a simulated host into a journal of version 2.
func recordHost(t *testing.T, dir string, ticks int) {
	t.Helper()
	p := policy2.Default()
	p.Own = []policy2.Selector{{Label: &policy2.Label{Key: contract.LabelManaged, Value: "true"}}}
	p.Surprise = 100
	p.Rules = []policy2.Rule{{
		Name: "stale", Each: policy2.EachContainer, Keep: policy2.Keep{Order: policy2.Newest, Places: 2},
		Rest: policy2.Ladder{{Step: policy2.StepWarn}, {Step: policy2.StepStop, After: policy2.Minute}},
	}}
	w := rulestest.New(p, 0)
	for i := range 6 {
		w.Add(rulestest.Container{
			Name: fmt.Sprintf("c%d", i), Image: "mcp/x", Labels: map[string]string{contract.LabelManaged: "true"},
			Created: time.Duration(rand.New(rand.NewPCG(uint64(i), 1)).IntN(600)-300) * time.Second,
		})
	}

	j, _, err := journal.Open(dir, journal.Options{
		Version: 2, SegmentBytes: 12_000, Now: func() time.Time { return time.Unix(1_796_126_400, 0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	recorder := journaltest.Recorder{Journal: j}
	w.OnTick = func(tick *rulestest.Tick) {
		if err := recorder.Tick(tick); err != nil {
			t.Fatal(err)
		}
	}
	w.Run(time.Duration(ticks*10) * time.Second)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestHistoryOfBothVersions(t *testing.T) {
	dir := t.TempDir()
	journaltest.Write(t, dir, 7, journal.Options{})
	recordHost(t, dir, 60)
	r, err := Run(dir)
	if err != nil || r.Ticks != 67 || r.Same != 67 || len(r.Different)+r.NoPolicy+r.Unread+r.Gaps+r.Heads != 0 || !r.Complete() {
		t.Errorf("%v %+v", err, r)
	}

	// One segment alone can be made again too.
	files, err := filepath.Glob(filepath.Join(dir, "*.ndjson"))
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	if r, err := Run(files[len(files)-1]); err != nil || r.Ticks == 0 || r.Same != r.Ticks || r.Unread > 0 {
		t.Errorf("%v %+v", err, r)
	}
	if _, err := Run(t.TempDir()); !errors.Is(err, ErrNoDecisions) {
		t.Errorf("an empty folder: %v", err)
	}
}

// resealed is a journal with another text in the first line that has it, under a right checksum.
func resealed(t *testing.T, dir string, from *regexp.Regexp, to string) (tick uint64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		all, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.SplitAfter(all, []byte("\n"))
		for i, text := range lines {
			if !from.Match(text) {
				continue
			}
			var verdict struct{ Verdict uint64 }
			if err := json.Unmarshal(text, &verdict); err != nil {
				t.Fatal(err)
			}
			body := from.ReplaceAll(text[:bytes.LastIndex(text, []byte(`,"crc":`))], []byte(to))
			lines[i] = line.Seal(body, 0)
			if err := os.WriteFile(name, bytes.Join(lines, nil), 0o600); err != nil {
				t.Fatal(err)
			}
			return verdict.Verdict
		}
	}
	t.Fatalf("no line has %s", from)
	return 0
}

func TestHistoryNamesTheFirstDifference(t *testing.T) {
	for name, c := range map[string]struct{ from, to, want string }{
		"a verdict": {
			`("verdict":\d+,"hash":"2\.)[0-9a-f]{4}(.*?)"step":"stop","reason":"[a-z_]+"`, `${1}0000$2"step":"keep","reason":"doubt"`,
			`was keep (doubt), step 2 of rule stale, now it is stop (`,
		},
		"the hash alone": {`("verdict":\d+,"hash":"2\.)[0-9a-f]{4}`, `${1}0000`, "a figure, a rank or a count"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			recordHost(t, dir, 60)
			tick := resealed(t, dir, regexp.MustCompile(c.from), c.to)
			r, err := Run(dir)
			if err != nil || len(r.Different) != 1 || r.Same != 59 || r.Different[0].Tick != tick || !strings.Contains(r.Different[0].What, c.want) {
				t.Errorf("%v, tick %d: %+v", err, tick, r.Different)
			}
		})
	}
}

// TestHistoryOfFirstHashes: a line may have the SHA-256 of the plan's JSON, as all had before.
func TestHistoryOfFirstHashes(t *testing.T) {
	dir := t.TempDir()
	recordHost(t, dir, 60)
	tick := resealed(t, dir, regexp.MustCompile(`("verdict":\d+,"hash":")2\.[0-9a-f]{16}`), "${1}0123456789abcdef")
	r, err := Run(dir)
	if err != nil || len(r.Different) != 1 || r.Different[0].Tick != tick {
		t.Fatalf("%v, tick %d: %+v", err, tick, r.Different)
	}

	sum := sha256.Sum256(r.Different[0].Replayed)
	resealed(t, dir, regexp.MustCompile(`"hash":"0123456789abcdef"`), `"hash":"`+hex.EncodeToString(sum[:8])+`"`)
	if r, err := Run(dir); err != nil || r.Same != 60 || len(r.Different) > 0 {
		t.Errorf("%v %+v", err, r)
	}
}

func TestHistoryFindsAnotherMemory(t *testing.T) {
	dir := t.TempDir()
	recordHost(t, dir, 60)
	resealed(t, dir, regexp.MustCompile(`("memory":\{"tick":)[0-9]+`), "${1}1")
	r, err := Run(dir)
	if err != nil || r.Heads != 1 || !strings.HasPrefix(r.Different[0].What, "the memory of the rules at line ") {
		t.Errorf("%v %+v", err, r)
	}
}

// TestHistoryOfMixedFiles: a manager that is given a policy of the other version goes on in the same file.
func TestHistoryOfMixedFiles(t *testing.T) {
	dir := t.TempDir()
	recordHost(t, dir, 25)
	journaltest.AppendVersion1(t, dir, 4)
	recordHost(t, dir, 25)
	journaltest.AppendVersion1(t, dir, 3)

	r, err := Run(dir)
	if err != nil || r.Ticks != 57 || r.Same != 57 || len(r.Different)+r.NoPolicy+r.Unread+r.Gaps+r.Heads != 0 || !r.Complete() {
		t.Errorf("%v %+v", err, r)
	}
}

// TestHistoryOfADamagedFile: what depends on the damaged line is left out and told, and all else is made again.
func TestHistoryOfADamagedFile(t *testing.T) {
	for name, c := range map[string]struct {
		spoil   func(text []byte) []byte
		whole   bool
		unreads bool
	}{
		"facts": {func(text []byte) []byte {
			return bytes.Replace(text, []byte(`"facts":7,`), []byte(`"facts":8,`), 1)
		}, false, true},
		"a verdict": {func(text []byte) []byte {
			return bytes.Replace(text, []byte(`"verdict":7,`), []byte(`"verdict":8,`), 1)
		}, false, false},
		"the head": {func(text []byte) []byte {
			return bytes.Replace(text, []byte(`"head":{`), []byte(`"head":[`), 1)
		}, false, true},
		"a torn last line": {func(text []byte) []byte { return append(text, `{"v":2,"seq":`...) }, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			recordHost(t, dir, 60)
			files, err := filepath.Glob(filepath.Join(dir, "*.ndjson"))
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(files[0], c.spoil(text), 0o600); err != nil {
				t.Fatal(err)
			}

			r, err := Run(dir)
			if err != nil || r.Complete() != c.whole || (r.Unread > 0) != c.unreads || len(r.Different) > 0 || r.Same != r.Ticks || r.Ticks < 30 {
				t.Errorf("%v %+v", err, r)
			}
			if c.whole && r.Ticks != 60 {
				t.Errorf("%d plans of 60", r.Ticks)
			}
		})
	}
}
