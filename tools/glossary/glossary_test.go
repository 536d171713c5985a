package main

import (
	"os"
	"testing"
	"testing/fstest"
)

// Every kind of row is found while its name is declared, and only in the package or file where it stood or moved to.
func TestFind(t *testing.T) {
	root := t.TempDir()
	tree := fstest.MapFS{
		"services/manager/internal/govern/hands.go": {Data: []byte(`package govern

type flight struct{ tries int }

func settle(owed int) { for _, it := range []int{owed} { keep := it; _ = keep } }
`)},
		"services/manager/internal/policy/other.go":  {Data: []byte("package policy\n\nfunc judge() {}\n")},
		"services/manager/internal/source/source.go": {Data: []byte("package source\n\nvar blind int\n")},
		"services/logs/internal/seed/seed.go":        {Data: []byte("package seed\n")},
		"kernel-module/walk.c":                       {Data: []byte("/* see the task */\nstatic void see(void)\n")},
	}
	if err := os.CopyFS(root, tree); err != nil {
		t.Fatal(err)
	}

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
