package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// The page's walks go through the code as it is, and its table counts them.
func TestPage(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(page)))
	if err != nil {
		t.Fatal(err)
	}
	walks, err := parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(walks) != 2 {
		t.Errorf("%d walks, want 2", len(walks))
	}

	for _, w := range walks {
		for _, problem := range check(root, w) {
			t.Error(problem)
		}
		if row := count(w).row(w); !strings.Contains(string(text), row) {
			t.Errorf("the table of %s must have the row %s", page, row)
		}
	}
}

func TestParseAndCount(t *testing.T) {
	walks, err := parse("# Page\n\nsee a/x.go `Not`\n\n## Walk 1: a tick\n\n1. **One.** A sentence with `words`.\n   a/x.go `Run tick` →\n   a/y.go\n   `read` →\n" +
		"   a/x.go `tick` → b/c/z.go `T.do`\n\n## Words\n\na/x.go `Not`\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []step{{"a/x.go", "Run"}, {"a/x.go", "tick"}, {"a/y.go", "read"}, {"a/x.go", "tick"}, {"b/c/z.go", "T.do"}}
	if len(walks) != 1 || walks[0].number != "1" || !slices.Equal(walks[0].steps, want) {
		t.Fatalf("%+v, want walk 1 with %+v", walks, want)
	}

	if got, want := count(walks[0]), (counts{steps: 5, files: 3, changes: 3, back: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestParseRefusesAPageWithoutWalks(t *testing.T) {
	for _, text := range []string{"", "# Page\n", "## Walk 1\n\nnothing\n"} {
		if _, err := parse(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

func TestCheck(t *testing.T) {
	root := t.TempDir()
	tree := fstest.MapFS{
		"services/manager/internal/govern/loop.go": {Data: []byte("package govern\n\nconst GateStale = 1\n\ntype loop struct{}\n\nfunc (l *loop) tick() {}\n\nfunc run() {}\n")},
		"services/logs/internal/store/list.go":     {Data: []byte("package store\n\ntype list[T any] struct{}\n\nfunc (l list[T]) add() {}\n")},
		"services/logs/internal/twice/a.go":        {Data: []byte("package twice\n")},
		"services/twice/a.go":                      {Data: []byte("package twice\n")},
	}
	if err := os.CopyFS(root, tree); err != nil {
		t.Fatal(err)
	}

	for _, s := range []step{
		{"govern/loop.go", "tick"},
		{"govern/loop.go", "loop.tick"},
		{"govern/loop.go", "run"},
		{"govern/loop.go", "GateStale"},
		{"store/list.go", "list.add"},
	} {
		if problems := check(root, walk{steps: []step{s}}); len(problems) > 0 {
			t.Errorf("%+v: %v", s, problems)
		}
	}
	for _, s := range []step{
		{"govern/loop.go", "gone"}, {"govern/loop.go", "other.tick"}, {"govern/gone.go", "tick"}, {"twice/a.go", "x"},
	} {
		if problems := check(root, walk{steps: []step{s}}); len(problems) != 1 {
			t.Errorf("%+v: %v, want one problem", s, problems)
		}
	}
}
