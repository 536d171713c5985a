// Command bench measures the log service side by side with VictoriaLogs on the same records. What was found
// is told in docs/benchmarks/records.md.
//
//	go run ./bench [-records 1000000] [-rounds 3] [-victoria /path/to/victoria-logs] [-out report.md]
//
// The log service syncs every group before it answers; VictoriaLogs answers before it stores (its default).
// Load generator and server share the machine: take the figures as ratios.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

func main() {
	records := flag.Int("records", 1_000_000, "records of the query measurements, over 24 hours (10000000 takes five to sixty minutes); 0 measures ingest alone")
	seconds := flag.Int("seconds", 5, "length of one ingest measurement")
	rounds := flag.Int("rounds", 3, "ingest measurements of each system, in turn, of which the median is reported")
	victoria := flag.String("victoria", "", "a victoria-logs binary, or none (default: built from its Go module)")
	out := flag.String("out", "", "file for the report (default: standard output)")
	flag.Parse()

	if *records < 0 || *seconds < 1 || *rounds < 1 {
		fmt.Fprintln(os.Stderr, "bench: -records must not be negative, -seconds and -rounds must be at least 1")
		os.Exit(2)
	}

	r := report{records: *records, rounds: *rounds, length: time.Duration(*seconds) * time.Second, began: time.Now().UTC()}
	if err := bench(&r, *victoria, *out); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(r *report, victoria, out string) error {
	work, err := os.MkdirTemp("", "gestor-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)

	gestorBin := filepath.Join(work, "gestor-logs")
	build := exec.Command("go", "build", "-o", gestorBin, ".")
	build.Dir = "../services/logs"
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the log service: %w: %s", err, text)
	}

	// Without the other one the service is measured alone: its module may be out of reach.
	systems := []*system{gestor(gestorBin)}
	if victoria == "" {
		if victoria, err = buildVictoria(work); err != nil {
			fmt.Fprintln(os.Stderr, "bench: VictoriaLogs is left out:", err)
		}
	}
	if victoria != "" && victoria != "none" {
		systems = append(systems, victoriaLogs(victoria))
	}

	if err := measureIngests(systems, r, work); err != nil {
		return err
	}
	for _, s := range systems {
		if r.records == 0 {
			break
		}
		fmt.Println("==", s.name)
		if err := s.measureQueries(work, r.records); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}

	if out == "" {
		_, err := fmt.Print(r.markdown(systems))
		return err
	}
	return os.WriteFile(out, []byte(r.markdown(systems)), 0o644)
}
