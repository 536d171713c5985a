package main

import (
	"os"
	"path/filepath"
	"testing"
)

// Every kind of row is found while its name is declared, and only in the package or file where it stood or moved to.
func TestFind(t *testing.T) {
	root := t.TempDir()
	write := func(name, content string) {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("services/manager/internal/govern/hands.go", `package govern

type flight struct{ tries int }

func settle(owed int) { for _, it := range []int{owed} { keep := it; _ = keep } }
`)
	write("services/manager/internal/policy/other.go", "package policy\n\nfunc judge() {}\n")
	write("services/manager/internal/source/source.go", "package source\n\nvar blind int\n")
	write("services/logs/internal/seed/seed.go", "package seed\n")
	write("kernel-module/walk.c", "/* see the task */\nstatic void see(void)\n")

	rows := map[string]bool{
		"services/manager/internal/govern/hands.go\thands.go\tdispatch.go":           true,
		"services/manager/internal/govern/flight.go\tflight\tremoval":                true,
		"services/manager/internal/govern/flight.go\ttries\trestoreAttempts":         true,
		"services/manager/internal/govern/governor.go\towed\tunrestored":             true,
		"services/manager/internal/govern/record.go\tkeep\tappendEvent":              true,
		"services/manager/internal/govern/record.go\tjudge\tscreen":                  false, // in another package
		"services/manager/internal/eyes/eyes.go\tblind\tunlocatedReadings":           true,  // the package has moved
		"services/logs/internal/seed\tseed\tassignment":                              true,
		"services/logs/internal/web/seed.go\tseed.go\tassignment.go":                 false,
		"kernel-module/walk.c\tsee\tadd_task":                                        true,
		"kernel-module/walk.c\ttask\tthread":                                         false, // in a comment only
		"services/manager/internal/govern/governor.go\tunsettled\tneverDeclaredHere": false,
	}
	for row, want := range rows {
		words, err := parse(row)
		if err != nil {
			t.Fatal(err)
		}
		found, err := find(root, words)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(found) == 1; got != want {
			t.Errorf("%q left: %v, want %v", row, got, want)
		}
	}
}

func TestTableParses(t *testing.T) {
	words, err := parse(table)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range words {
		if w.where == "" || w.old == "" || w.term == "" {
			t.Errorf("a row without WHERE, OLD or NEW: %+v", w)
		}
	}
}
