package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"gestor.local/contract"
	"gestor.local/logs/internal/assignment"
	"gestor.local/logs/internal/store"
	"gestor.local/program/cli"
	"gestor.local/wal/disk"
)

const verifyHelp = `Reads every file in the folder records below GESTOR_DATA, or below FOLDER, a copy of it, without changing anything, checks
each line or block against its checksum, each index against its file, and that no sequence number is missing or there
twice. Prints the first damage and what was lost. It may run beside the service.
Exit code 0: sound, 1: damaged or not there.

  -all    print every damage, not only the first`

var errDamaged = errors.New("damaged")

// maxGaps is how many ranges of lost numbers verify prints without -all.
const maxGaps = 10

func verify(_ context.Context, cfg config, inv *cli.Invocation) error {
	all := inv.Flags.Bool("all", false, "print every damage")
	if err := inv.Parse(1); err != nil {
		return err
	}

	data := cmp.Or(inv.Flags.Arg(0), cfg.Data)
	if _, err := os.Stat(filepath.Join(data, "records")); err != nil { // an empty answer would be taken for a sound one
		return fmt.Errorf("verify: %w: name the folder of the service or a copy of it, or set GESTOR_DATA to it", err)
	}

	report, err := store.Verify(disk.OS{}, data)
	if err != nil {
		return err
	}

	writeReport(inv.Stdout, report, *all)
	if report.OK() {
		return nil
	}
	return fmt.Errorf("verify: %w: the other records stay readable; keep a copy of %s/quarantine", errDamaged, data)
}

// writeReport writes what verify found: all of it, or the first damage and the first lost numbers.
func writeReport(out io.Writer, report store.Report, all bool) {
	fmt.Fprintf(out, "%d files, %d records\n", report.Files, report.Records)
	if report.OK() {
		fmt.Fprintln(out, "sound")
		return
	}

	for i, f := range report.Findings {
		if i > 0 && !all {
			fmt.Fprintf(out, "… and %d more (verify -all)\n", len(report.Findings)-1)
			break
		}
		fmt.Fprintln(out, f)
	}

	for i, gap := range report.Missing {
		if i == maxGaps && !all { // a damaged block of a sealed file holds scattered numbers
			fmt.Fprintf(out, "… and %d more ranges (verify -all)\n", len(report.Missing)-i)
			break
		}
		fmt.Fprintf(out, "lost: records %d to %d (%d)\n", gap[0], gap[1], gap[1]-gap[0]+1)
	}
}

const exportHelp = `Writes the assignment's JSON array of {pid, container_id, name, vsz, rss, memory_usage, cpu_usage, action, timestamp}
to standard output, oldest first. It asks the running service at GESTOR_ADDR.

  -since T, -until T    RFC 3339 times, Unix seconds or durations before now, such as 24h`

// export asks the running service, which alone has the lock, and converts as it reads.
func export(ctx context.Context, cfg config, inv *cli.Invocation) error {
	since, until := inv.Flags.String("since", "", "from"), inv.Flags.String("until", "", "to")
	if err := inv.Parse(0); err != nil {
		return err
	}

	query := url.Values{"order": {"asc"}, "format": {"ndjson"}, "kind": {"container,action"}}
	for name, v := range map[string]string{"since": *since, "until": *until} {
		if v != "" {
			query.Set(name, v)
		}
	}

	base, err := cfg.baseURL()
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+contract.PathRecords+"?"+query.Encode(), nil)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	authorise(req, cfg)

	res, err := newClient().Do(req)
	if err != nil {
		return fmt.Errorf("export: %w (is the log service running at %s?)", err, cfg.Addr)
	}
	defer res.Body.Close()

	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 4096)) // whatever there is of it
		return fmt.Errorf("export: %s: %s", res.Status, text)
	}
	return writeAssignment(inv.Stdout, res.Body)
}

// writeAssignment turns NDJSON records into one array.
func writeAssignment(out io.Writer, in io.Reader) error {
	w := bufio.NewWriter(out)
	sep := "[\n"
	for records := json.NewDecoder(in); ; {
		var r contract.Record
		err := records.Decode(&r)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}

		p, ok := assignment.FromRecord(r)
		if !ok {
			continue
		}

		text, err := json.Marshal(p)
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
		fmt.Fprintf(w, "%s%s", sep, text)
		sep = ",\n"
	}

	if sep == "[\n" { // no record: an empty array all the same
		fmt.Fprint(w, "[")
	}
	fmt.Fprint(w, "\n]\n")
	return w.Flush()
}

// authorise adds the reader's token when there is one.
func authorise(req *http.Request, cfg config) {
	if cfg.ReadToken == "" {
		return
	}
	if token, err := cfg.readToken(); err == nil { // without it the service answers what is missing
		req.Header.Set("Authorization", "Bearer "+token)
	}
}

// newClient makes a client for one request to the service. It never asks a proxy: compose hands the one in
// ~/.docker/config.json to every container.
func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
}

// healthcheck asks /healthz of the configured address.
func healthcheck(ctx context.Context, cfg config, inv *cli.Invocation) error {
	if err := inv.Parse(0); err != nil {
		return err
	}

	base, err := cfg.baseURL()
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}

	// Shorter than the time-out of the suite's health checks.
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+contract.PathHealth, nil)
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	res, err := newClient().Do(req)
	if err != nil {
		return fmt.Errorf("healthcheck: %w (is the log service running at %s?)", err, cfg.Addr)
	}
	defer res.Body.Close()

	if _, err := io.Copy(inv.Stdout, io.LimitReader(res.Body, 64<<10)); err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("healthcheck: %s answered %s", base+contract.PathHealth, res.Status)
	}
	return nil
}
