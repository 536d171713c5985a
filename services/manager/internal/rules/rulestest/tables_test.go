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

// tablesPage is the page that the tests of the examples hold to.
const tablesPage = "../../../../../policy/examples/tables.md"

// row is one line of a table: the containers of its first column, what happens to them, and what the plan says of them.
type row struct {
	containers []rulestest.Container
	// events are all that is done to the containers, by name; one that is left out is left alone.
	events map[string][]string
	// says are verdicts, as "T+1m NAME: STEP REASON (RULE)".
	says []string
}

// one is the row of a single container.
func one(c rulestest.Container, events []string, says ...string) row {
	r := row{containers: []rulestest.Container{c}, says: says}
	if events != nil {
		r.events = map[string][]string{c.Name: events}
	}
	return r
}

// runTable runs the world of a policy with the containers of all its rows, and holds each row against what happened. The policy
// is approved from the tick before T on, on which its first plan is only shown.
func runTable(t *testing.T, name string, from, until time.Duration, rows []row, set func(*rulestest.World)) {
	t.Helper()
	w := rulestest.New(example(t, name), from)
	set(w)
	tick := time.Duration(w.Policy.Tick) * time.Second
	w.ApprovedAt = -tick
	w.Watch(moments(t, rows)...)
	for _, r := range rows {
		w.Add(r.containers...)
	}
	w.Run(until)

	for _, r := range rows {
		t.Run(r.containers[0].Name, func(t *testing.T) {
			for _, c := range r.containers {
				if diff := cmp.Diff(r.events[c.Name], w.History(c.Name)); diff != "" {
					t.Errorf("what happened to %s (-want +got):\n%s", c.Name, diff)
				}
			}
			for _, want := range r.says {
				at, name := said(t, want)
				if got := w.Said(at, name); got != want {
					t.Errorf("the plan says\n  %s, want\n  %s", got, want)
				}
			}
		})
	}
	checkPage(t, name, rows)
}

// moments are those of which a table wants the verdicts.
func moments(t *testing.T, rows []row) []time.Duration {
	var out []time.Duration
	for _, r := range rows {
		for _, text := range r.says {
			at, _ := said(t, text)
			out = append(out, at)
		}
	}
	return out
}

// said reads the moment and the name of a verdict.
func said(t *testing.T, text string) (time.Duration, string) {
	t.Helper()
	head, _, _ := strings.Cut(text, ":")
	moment, name, ok := strings.Cut(head, " ")
	at, err := rulestest.ParseMoment(moment)
	if !ok || err != nil {
		t.Fatalf("%q is not a verdict: %v", text, err)
	}
	return at, name
}

// firstCells are the first cells of the rows of a page's table.
var firstCells = regexp.MustCompile(`(?m)^\| ([^|]+) \|`)

// checkPage compares the rows of the page with those of the test: each says the names of containers or of their projects.
func checkPage(t *testing.T, file string, rows []row) {
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
		for _, c := range r.containers {
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
