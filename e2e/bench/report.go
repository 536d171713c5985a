package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// report is what was measured, as Markdown.
type report struct {
	records, rounds int
	length          time.Duration
	began           time.Time
}

func (r *report) markdown(systems []*system) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# The log service beside VictoriaLogs\n\nMade by `go run ./bench -records %d -seconds %d -rounds %d` in e2e on %s: %s, %d cores, load %s at the start, Go %s.\n\n",
		r.records, int(r.length.Seconds()), r.rounds, r.began.Format("2006-01-02 15:04 UTC"), cpuName(), runtime.NumCPU(), load(), runtime.Version())
	b.WriteString("Gestor syncs every group of records to the disk before it answers. VictoriaLogs (default flags, " + strings.Fields(victoriaModule)[1] +
		") answers first and stores within 5 s. The load generator shares the cores with the server, so that the figures per core\n(records divided by the server's own processor time) tell more than those per second.\nOf each ingest the systems took turns, and the run with the median figure per core is shown. Latencies of queries are medians\nof 15, client to client.\n\n")

	b.WriteString("## Ingest\n\n| batch | clients |")
	for _, s := range systems {
		fmt.Fprintf(&b, " %s records/s | per core | p50 | p99 | peak MiB |", s.name)
	}
	if len(systems) == 2 {
		b.WriteString(" per core, ratio |")
	}
	b.WriteString("\n|" + strings.Repeat("---|", 2+5*len(systems)+len(systems)-1) + "\n")

	for i, row := range systems[0].ingested {
		fmt.Fprintf(&b, "| %d | %d |", row.batch, row.clients)
		for _, s := range systems {
			x := s.ingested[i]
			fmt.Fprintf(&b, " %.0f | %.0f | %s | %s | %.0f |", x.perSecond, x.perCore, short(x.p50), short(x.p99), x.rssMB)
		}
		if len(systems) == 2 {
			fmt.Fprintf(&b, " %.2f |", row.perCore/systems[1].ingested[i].perCore)
		}
		b.WriteString("\n")
	}

	if r.records > 0 {
		r.queries(&b, systems)
	}
	b.WriteString("\nA ratio above 1 means that Gestor needs more (time, disk, memory) or, for ingest, stores more.\n")
	return b.String()
}

func (r *report) queries(b *strings.Builder, systems []*system) {
	fmt.Fprintf(b, "\n## Queries over %d records of 24 hours\n\n| |", r.records)
	for _, s := range systems {
		fmt.Fprintf(b, " %s |", s.name)
	}
	if len(systems) == 2 {
		b.WriteString(" ratio |")
	}
	b.WriteString("\n|" + strings.Repeat("---|", 1+len(systems)+len(systems)-1) + "\n")

	for _, name := range []string{queryRecent, queryContainer, queryChart} {
		row(b, name, systems, func(s *system) (float64, string) { return float64(s.queried[name]), short(s.queried[name]) })
	}
	row(b, "disk after sealing", systems, func(s *system) (float64, string) { return s.diskMB, fmt.Sprintf("%.1f MiB", s.diskMB) })
	row(b, "peak resident while answering", systems, func(s *system) (float64, string) { return s.rssMB, fmt.Sprintf("%.0f MiB", s.rssMB) })
}

func row(b *strings.Builder, name string, systems []*system, value func(*system) (float64, string)) {
	fmt.Fprintf(b, "| %s |", name)
	for _, s := range systems {
		_, text := value(s)
		fmt.Fprintf(b, " %s |", text)
	}

	if len(systems) == 2 {
		one, _ := value(systems[0])
		two, _ := value(systems[1])
		fmt.Fprintf(b, " %.2f |", one/two)
	}
	b.WriteString("\n")
}

func short(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/1e6) }

func cpuName() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	for line := range strings.Lines(string(b)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
		}
	}
	return "unknown processor"
}

func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Fields(string(b))[0]
}
