package rulestest_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/manager/internal/rules/rulestest"
)

const (
	minute = time.Minute
	hour   = time.Hour
	day    = 24 * time.Hour
)

// zeros fill an image's id up to its 64 digits.
const zeros = "00000000000000000000000000000000000000000000000000000000"

// tablesPage is the page that the tests of the examples hold to.
const tablesPage = "../../../../../policy/examples/tables.md"

// Each row of a table is held against what happens to its containers on a simulated host, and the rows against those of the page.
func TestTables(t *testing.T) {
	for _, table := range rulestest.Tables() {
		t.Run(table.File, func(t *testing.T) {
			w := table.World(example(t, table.File))
			w.Run(table.Until)

			for _, r := range table.Rows {
				t.Run(r.Containers[0].Name, func(t *testing.T) {
					for _, c := range r.Containers {
						if diff := cmp.Diff(r.Events[c.Name], w.History(c.Name)); diff != "" {
							t.Errorf("what happened to %s (-want +got):\n%s", c.Name, diff)
						}
					}
					for _, want := range r.Says {
						at, name, err := rulestest.SaidOf(want)
						if got := w.Said(at, name); got != want || err != nil {
							t.Errorf("the plan says\n  %s, want\n  %s (%v)", got, want, err)
						}
					}
				})
			}
			checkPage(t, table.File, table.Rows)
		})
	}
}

// firstCells are the first cells of the rows of a page's table.
var firstCells = regexp.MustCompile(`(?m)^\| ([^|]+) \|`)

// checkPage compares the rows of the page with those of the test: each says the names of containers or of their projects.
func checkPage(t *testing.T, file string, rows []rulestest.Row) {
	t.Helper()
	page, err := os.ReadFile(tablesPage)
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## "+file+".yaml")
	if !found {
		t.Fatalf("tables.md says nothing of %s.yaml", file)
	}
	section, _, _ = strings.Cut(section, "\n## ")

	var onPage, inTest []string
	for _, cell := range firstCells.FindAllStringSubmatch(section, -1) {
		head, _, _ := strings.Cut(cell[1], ":")
		head, _, _ = strings.Cut(head, " (")
		if head != "container" && head != "project" && !strings.HasPrefix(head, "---") {
			onPage = append(onPage, strings.Split(head, ", ")...)
		}
	}
	for _, r := range rows {
		for _, c := range r.Containers {
			name := c.Name
			if c.Project != "" && !slices.Contains(onPage, name) {
				name = c.Project
			}
			if !slices.Contains(inTest, name) {
				inTest = append(inTest, name)
			}
		}
	}
	for _, name := range onPage {
		if !slices.Contains(inTest, name) {
			t.Errorf("%s stands in the table of %s.yaml and not in its test", name, file)
		}
	}
	for _, name := range inTest {
		if !slices.Contains(onPage, name) && !strings.Contains(section, name) {
			t.Errorf("%s stands in the test and not in the table of %s.yaml", name, file)
		}
	}
}
