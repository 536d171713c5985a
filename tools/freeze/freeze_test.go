package freeze

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

var update = flag.Bool("update", false, "write testdata/published.txt anew")

const golden = "testdata/published.txt"

// What is published stays, whatever the code inside is called.
func TestPublishedWordsStay(t *testing.T) {
	list, err := Collect("../..")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, []byte(list.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	want, got := string(content), list.String()
	for _, line := range missing(want, got) {
		t.Errorf("no longer there: %s", line)
	}
	for _, line := range missing(got, want) {
		t.Errorf("new: %s", line)
	}
	if t.Failed() {
		t.Log("if this is meant, run `go test ./freeze -update` in tools/ and say it in CHANGELOG.md")
	}
}

// missing is the lines of a, with their section, that b has not.
func missing(a, b string) []string {
	has := make(map[string]bool)
	for _, line := range withSection(b) {
		has[line] = true
	}
	return slices.DeleteFunc(withSection(a), func(line string) bool { return has[line] })
}

func withSection(s string) []string {
	var lines []string
	section := ""
	for line := range strings.Lines(s) {
		line = strings.TrimSuffix(line, "\n")
		if after, is := strings.CutPrefix(line, "# "); is {
			section = after
		} else if line != "" {
			lines = append(lines, section+": "+line)
		}
	}
	return lines
}

// Each kind of published word is seen, and what is not published is not.
func TestCollect(t *testing.T) {
	root := t.TempDir()
	tree := fstest.MapFS{
		"services/manager/a.go": {Data: []byte(`package main

import "example.org/not-a-word"

const exitConfig = 2

type renamed struct {
	RSS  int ` + "`json:\"rss_kb,omitempty\"`" + `
	Tick int ` + "`env:\"GESTOR_TICK\" envDefault:\"10s\"`" + `
	In   struct{ Deep int ` + "`json:\"deep\"`" + ` }
}

func f(phase string) (string, error) {
	if phase == "outcome" {
		return "", fmt.Errorf("refused", "torn_tail", os.Getenv("GESTOR_HOST"))
	}
	open("identities.json", "/v1/records", "gestor.role")
	open(wal.Names{Prefix: stream + "-", Ext: ".ndjson"}, wal.Names{Ext: ext})
	return "A sentence with not_a_word in it", nil
}
`)},
		"services/manager/a_test.go": {Data: []byte(`package main

const word = "only_in_tests"
`)},
		"services/manager/enginetest/fake.go": {Data: []byte(`package enginetest

const word = "only_in_doubles"
`)},
		"kernel-module/report.c": {Data: []byte(`seq_puts(m, "\"cpu_us\":"); module_param_cb(batch, &ops, NULL, 0400);`)},
		"scripts/up.sh":          {Data: []byte("refuse 3 no modules\nexit 1\n: \"$GESTOR_DATA_DIR\"\n")},
	}
	if err := os.CopyFS(root, tree); err != nil {
		t.Fatal(err)
	}

	list, err := Collect(root)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		sectionJSON:     {"deep", "rss_kb,omitempty"},
		sectionSettings: {"GESTOR_DATA_DIR", "GESTOR_HOST", "GESTOR_TICK = 10s"},
		sectionLabels:   {"gestor.role"},
		sectionPaths:    {"/v1/records"},
		sectionFiles:    {"%s-%020d.ndjson", ".ndjson", "identities.json"},
		sectionWords:    {"torn_tail"},
		sectionSingle:   {"outcome"},
		sectionExit:     {"gestor-manager 2", "up.sh 1", "up.sh 3"},
		sectionModule:   {"batch", "cpu_us"},
	}
	for _, section := range sections {
		var got []string
		for word := range list[section] {
			got = append(got, word)
		}
		slices.Sort(got)
		if !slices.Equal(got, want[section]) {
			t.Errorf("%s: %q, want %q", section, got, want[section])
		}
	}
}
