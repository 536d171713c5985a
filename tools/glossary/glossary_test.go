package main

import (
	"os"
	"slices"
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
		words, err := parseWords(row)
		if err != nil {
			t.Fatal(err)
		}
		found, err := find(root, words, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(found) == 1; got != want {
			t.Errorf("%q left: %v, want %v", row, got, want)
		}
	}
}

func TestWordsParse(t *testing.T) {
	if _, err := parseWords(wordsTable); err != nil {
		t.Error(err)
	}
}

// An exception that excepts nothing would hide the name when it comes back for another reason.
func TestExceptionsAreNeeded(t *testing.T) {
	words, err := parseWords(wordsTable)
	if err != nil {
		t.Fatal(err)
	}
	exceptions, err := parseExceptions(exceptionsTable, words)
	if err != nil {
		t.Fatal(err)
	}
	found, err := find("../..", words, exceptions)
	if err != nil {
		t.Fatal(err)
	}

	for _, e := range exceptions {
		needed := slices.ContainsFunc(found, func(l left) bool { return e.excepts(l.word) })
		if !needed {
			t.Errorf("exceptions.tsv: %s, %s is declared no more: take the row away", e.where, e.old)
		}
	}
}

func TestParseExceptions(t *testing.T) {
	words, err := parseWords("a/b.go\told\tterm\n")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		content string
		rows    int
		wrong   bool
	}{
		"none":                    {content: "", rows: 0},
		"one":                     {content: "a/b.go\told\tit is published\n", rows: 1},
		"not in words.tsv":        {content: "a/b.go\tother\tit is published\n", wrong: true},
		"of another file":         {content: "a/c.go\told\tit is published\n", wrong: true},
		"without a reason":        {content: "a/b.go\told\n", wrong: true},
		"the same twice":          {content: "a/b.go\told\tone\na/b.go\told\ttwo\n", wrong: true},
		"a tab within the reason": {content: "a/b.go\told\tone\ttwo\n", wrong: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			rows, err := parseExceptions(test.content, words)
			if (err != nil) != test.wrong || len(rows) != test.rows {
				t.Errorf("%v, %v; want %d rows, an error: %v", rows, err, test.rows, test.wrong)
			}
		})
	}
}

// A name that stays is found all the same, with its reason.
func TestFindGivesTheReason(t *testing.T) {
	root := t.TempDir()
	tree := fstest.MapFS{"e2e/page/looks.go": {Data: []byte("package page\n\nfunc old() {}\n")}}
	if err := os.CopyFS(root, tree); err != nil {
		t.Fatal(err)
	}
	words := []word{{where: "e2e/page/looks.go", old: "old", term: "new"}}

	for _, reason := range []string{"", "it is published"} {
		var exceptions []exception
		if reason != "" {
			exceptions = []exception{{where: "e2e/page/looks.go", old: "old", reason: reason}}
		}
		found, err := find(root, words, exceptions)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) != 1 || found[0].reason != reason {
			t.Errorf("found %+v, want one with the reason %q", found, reason)
		}
	}
}
