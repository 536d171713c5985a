package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gestor.local/e2e/scenario"
)

// Every sql block of docs/records.md gives rows in DuckDB, over sealed files and one that still grows, and DuckDB counts
// as many records as the API.
func TestDuckDBReadsTheFiles(t *testing.T) {
	duck := duckdb(t)
	dir := t.TempDir()
	s := start(t, build(t), filepath.Join(dir, "data"), "GESTOR_SEGMENT_BYTES=20000")
	files := func(stream, ext string) int {
		names, _ := filepath.Glob(filepath.Join(dir, "data/records", stream, "*"+ext))
		return len(names)
	}
	next := uint64(1)
	scenario.Eventually(t, time.Minute, "sealed and growing files", func() error {
		if code, _ := s.post(suiteRecords(next, 100)); code != 200 {
			t.Fatalf("status %d", code)
		}
		next += 100
		for _, stream := range []string{"observations", "events"} {
			if files(stream, ".ndjson.gz") == 0 || files(stream, ".ndjson") == 0 {
				return fmt.Errorf("%s are not both", stream)
			}
		}
		return nil
	})
	want := len(s.stored())
	s.stop()
	for _, query := range queriesOfTheDocs(t) {
		if rows := duck(dir, query); len(rows) == 0 {
			t.Errorf("no rows from\n%s", query)
		}
	}
	rows := duck(dir, `SELECT count(DISTINCT seq) AS n FROM read_ndjson('data/records/*/*.ndjson*', union_by_name=true) WHERE producer = 'p'`)
	if got := rows[0]["n"]; want == 0 || got != float64(want) {
		t.Errorf("DuckDB counts %v records, the API %d", got, want)
	}
}

// queriesOfTheDocs returns the sql blocks of docs/records.md. Those in sh are run by e2e/docs.
func queriesOfTheDocs(t *testing.T) (found []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/records.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range strings.Split(string(text), "```") {
		if block, ok := strings.CutPrefix(part, "sql\n"); ok && i%2 == 1 {
			found = append(found, block)
		}
	}
	if len(found) < 2 {
		t.Errorf("only %d examples in sql were found", len(found))
	}
	return found
}

// suiteRecords is n records from a number on as the manager sends them, every tenth a decision.
func suiteRecords(from uint64, n int) string {
	var b strings.Builder
	ts := now()
	for pseq := from; pseq < from+uint64(n); pseq++ {
		kind, more := "container", `"measured":true,"cpu_millicores":498,"ram_kb":10240`
		if pseq%10 == 0 {
			kind, more = "decision", `"verdict":"remove","reason":"surplus","text":"rank 6: 3 stay"`
		}
		fmt.Fprintf(&b, `{"v":1,"ts":%q,"kind":%q,"host":"h","boot":"b","producer":"p","pseq":%d,"tick":1,"container":"71fa559c%d","name":"one","image":"gestor/high-cpu","class":"high",%s}`+"\n",
			ts, kind, pseq, pseq%7, more)
	}
	return b.String()
}

// duckdb builds e2e/duckdb; what it returns runs a query in a folder.
func duckdb(t *testing.T) func(dir, query string) []map[string]any {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "duckdb")
	cmd := exec.Command("go", "build", "-o", bin, ".")
	cmd.Dir = "../duckdb"
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("build DuckDB: %v: %s", err, out)
		}
		t.Skipf("DuckDB does not build here (it needs g++ and the Go module proxy): %v: %s", err, out)
	}
	return func(dir, query string) (rows []map[string]any) {
		t.Helper()
		cmd := exec.Command(bin)
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(query)
		var problem bytes.Buffer
		cmd.Stderr = &problem
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %s in\n%s", err, problem.String(), query)
		}
		for one := range bytes.Lines(out) {
			var row map[string]any
			if err := json.Unmarshal(one, &row); err != nil {
				t.Fatalf("%v: %s", err, one)
			}
			rows = append(rows, row)
		}
		return rows
	}
}
