package journaltest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"gestor.local/manager/internal/journal"
)

// AppendVersion1 writes so many ticks of version 1, as Write makes them, behind the last line of the newest file in dir, whose lines may
// be of version 2: so a journal looks whose manager was given a policy of version 1 meanwhile. Their times are those of a year later.
// Nobody may have the journal open.
func AppendVersion1(t *testing.T, dir string, ticks int) {
	t.Helper()
	other := t.TempDir()
	Write(t, other, ticks, journal.Options{})
	lines := readLines(t, newestFile(t, other))

	to := newestFile(t, dir)
	before := readLines(t, to)
	last, err := strconv.ParseUint(string(seqOf.FindSubmatch(before[len(before)-1])[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}

	// The head is that of another file.
	for _, line := range lines[1:] {
		last++
		line = bytes.Replace(line, []byte(`"at":"2026-`), []byte(`"at":"2027-`), 1)
		before = append(before, seqOf.ReplaceAll(line, fmt.Appendf(nil, `{"v":1,"seq":%d,`, last)))
	}
	if err := os.WriteFile(to, bytes.Join(before, nil), 0o600); err != nil {
		t.Fatal(err)
	}
}

var seqOf = regexp.MustCompile(`^\{"v":[12],"seq":(\d+),`)

// newestFile is the one of a journal that is written to.
func newestFile(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.ndjson"))
	files = slices.DeleteFunc(files, func(path string) bool { return filepath.Base(path)[0] > '9' })
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	return files[len(files)-1]
}

func readLines(t *testing.T, path string) [][]byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	return lines[:len(lines)-1]
}
