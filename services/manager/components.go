package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/source"
	"gestor.local/manager/internal/source/hostproc"
	"gestor.local/manager/internal/source/kmod"
	"gestor.local/program/cli"
	"gestor.local/ship"
)

// parts are what the governor works with, in the order in which they are opened.
type parts struct {
	cfg       config
	log       zerolog.Logger
	host      string
	engine    *engine.Client
	eyes      *source.Selector
	journal   *journal.Journal
	recovered journal.Recovery
	backlog   govern.Backlog
	spool     *ship.Shipper
	closers   []closer
}

// closer undoes one step of the start.
type closer struct {
	what  string
	close func() error
}

// open opens everything, or nothing.
func open(ctx context.Context, cfg config, log zerolog.Logger) (*parts, error) {
	p := &parts{cfg: cfg, log: log}
	for _, step := range []func(context.Context) error{p.openEngine, p.openEyes, p.openSpool, p.openJournal} {
		if err := step(ctx); err != nil {
			p.close()
			return nil, err
		}
	}
	return p, nil
}

func (p *parts) openEngine(ctx context.Context) error {
	var err error
	if _, err = p.cfg.token(); err != nil {
		return cli.WithExitCode(exitConfig, err)
	}
	if p.engine, err = engine.Open(p.cfg.Engine); err != nil {
		return cli.WithExitCode(exitConfig, err)
	}
	p.opened("engine", p.engine.Close)
	name, err := reach(ctx, p.engine, p.cfg.EngineWait, p.log)
	if err != nil {
		return cli.WithExitCode(exitEngine, fmt.Errorf("%w; next: %s", err, cmp.Or(engine.Advice(err), "check that GESTOR_ENGINE is the address of a Docker engine")))
	}
	p.host = p.cfg.Host
	if p.host == "" {
		p.host = name
	}
	return nil
}

func (p *parts) openEyes(context.Context) error {
	var err error
	p.eyes, err = source.Open(source.Options{
		Choice: p.cfg.Source,
		Module: kmod.Options{Proc: p.cfg.Proc, Name: p.cfg.ProcName},
		Procfs: hostproc.Options{Proc: p.cfg.Proc, Cgroup: p.cfg.Cgroup, CmdlineMax: int(p.cfg.CmdlineMax)},
	}, p.log)
	return cli.WithExitCode(exitSource, err)
}

// openJournal comes after the spool, whose records tell how far the journal had got.
func (p *parts) openJournal(context.Context) error {
	told, observations := p.spool.Journalled()
	var err error
	if p.journal, p.recovered, err = journal.Open(journalDir(p.cfg), journal.Options{After: told}); err != nil {
		return cli.WithExitCode(exitStorage, err)
	}
	p.opened("journal", p.journal.Close)
	if told == 0 {
		return nil // a new spool: what it was not told by this journal was told to another one
	}
	p.backlog.Observations = observations
	p.backlog.Backlog, err = journal.Behind(journalDir(p.cfg), told)
	return cli.WithExitCode(exitStorage, err)
}

func (p *parts) openSpool(context.Context) error {
	boot, err := bootID(p.cfg.Proc)
	if err != nil {
		return cli.WithExitCode(exitSource, err)
	}
	p.spool, err = ship.Open(ship.Config{
		Dir: spoolDir(p.cfg), URL: p.cfg.LogsURL, Producer: contract.ProducerManager, Host: p.host, Boot: boot,
		MaxBytes: int64(p.cfg.SpoolBytes), Token: p.cfg.token,
		Log: func(message string, err error) { p.log.Warn().Err(err).Msg(message) },
	})
	if err != nil {
		return cli.WithExitCode(exitStorage, err)
	}
	p.opened("spool", p.spool.Close)
	return nil
}

func (p *parts) opened(what string, closeIt func() error) {
	p.closers = append(p.closers, closer{what, closeIt})
}

// close closes what is open, the last first.
func (p *parts) close() {
	for i := len(p.closers) - 1; i >= 0; i-- {
		c := p.closers[i]
		p.timed("close "+c.what, c.close)
	}
	p.closers = nil
}

func (p *parts) timed(what string, step func() error) {
	began := time.Now()
	err := step()
	line := p.log.Info()
	if err != nil {
		line = p.log.Warn().Err(err)
	}
	line.Dur("took_ms", time.Since(began)).Msg(what)
}

// awaitLogs waits until the log service answers, within GESTOR_LOGS_WAIT. Without it the manager governs all the same: its
// records wait on disk. One that answers that it takes none is not waited for: its disk may be full for days, and a full host
// is the one that has to be governed.
func (p *parts) awaitLogs(ctx context.Context) {
	until := time.Now().Add(p.cfg.LogsWait)
	for ctx.Err() == nil {
		err := get(ctx, strings.TrimSuffix(p.cfg.LogsURL, "/")+contract.PathReady)
		if err == nil {
			return
		}
		if errors.Is(err, errAnswered) {
			p.log.Warn().Err(err).Msg("the log service answers that it is not well; governing begins, and what it does not take waits on disk")
			return
		}
		if time.Now().After(until) {
			next := "start it with docker compose up -d logs"
			if p.cfg.Elsewhere {
				next = "see that GESTOR_LOGS_URL (" + p.cfg.logs() + ") answers from here"
			}
			p.log.Warn().Err(err).Msg("the log service is not ready; governing goes on and records wait on disk; " + next)
			return
		}
		pause(ctx, time.Second)
	}
}

// first are the first records of the run.
func (p *parts) first(policy contract.Policy) []contract.Record {
	records := []contract.Record{startRecord(p.cfg, policy)}
	if told, _ := p.spool.Journalled(); told == 0 {
		records[0].JournalSeq = p.journal.Seq() // what the journal holds by now is not this spool's to tell
	}
	if p.recovered.TornBytes > 0 || p.recovered.BadLines > 0 {
		records = append(records, tornRecord(p.recovered))
	}
	return records
}

// tornRecord tells of a journal that an earlier run could not finish writing, or that was damaged.
func tornRecord(r journal.Recovery) contract.Record {
	message := "the journal had a torn end; it was cut off and copied aside"
	switch {
	case r.TornBytes == 0:
		message = "the journal holds damaged lines; they are left out, the lines after them were read"
	case r.TornCopy == "":
		message = "the journal had a torn end; it was cut off without a copy, since the disk is full: make room on the volume of GESTOR_STATE"
	}
	return contract.NewRecord(time.Now(), 0, "", contract.SystemBody{
		Event: "torn_tail", Level: contract.LevelWarn, Message: message,
		Details: map[string]any{"bytes": r.TornBytes, "bad_lines": r.BadLines, "copy": r.TornCopy},
	})
}

// farewell sends the last records and asks for the charts: the manager's last request.
func (p *parts) farewell(reason error) {
	if err := p.spool.Append(govern.StopRecord(reason)); err != nil {
		p.log.Warn().Err(err).Msg("the last record could not be kept")
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.cfg.Flush)
	defer cancel()
	p.timed("flush records", func() error { return p.spool.Flush(ctx) })
	p.timed("ask for the charts", p.charts)
}

// chartsTimeout is how long the log service may take to draw everything it holds.
const chartsTimeout = 15 * time.Second

func (p *parts) charts() error {
	url := strings.TrimSuffix(p.cfg.LogsURL, "/") + contract.PathCharts
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, http.NoBody)
	if err != nil {
		return err
	}
	token, err := p.cfg.token()
	if err != nil {
		return fmt.Errorf("charts: %w", err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	client := ship.NewClient(chartsTimeout)
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("charts: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("charts: POST %s: %s", url, resp.Status)
	}
	return nil
}

// bootID is the kernel's name for the time since the host was started.
func bootID(proc string) (string, error) {
	text, err := os.ReadFile(proc + "/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read boot id: %w; is GESTOR_PROC=%s the host's /proc?", err, proc)
	}
	if id := strings.TrimSpace(string(text)); id != "" {
		return id, nil
	}
	return "", errors.New("read boot id: the file is empty")
}

// boottime reads the clock of the snapshots in microseconds. The call cannot fail for a clock that every Linux has.
func boottime() uint64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return uint64(ts.Sec)*1_000_000 + uint64(ts.Nsec)/1000 //nolint:gosec // since the boot
}
