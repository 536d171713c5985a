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
	"gestor.local/manager/internal/notify"
	"gestor.local/manager/internal/source"
	"gestor.local/manager/internal/source/hostproc"
	"gestor.local/manager/internal/source/kmod"
	"gestor.local/manager/internal/source/netdev"
	"gestor.local/program/cli"
	"gestor.local/ship"
)

// components are what the governor works with, in the order in which they are opened.
type components struct {
	cfg       config
	log       zerolog.Logger
	host      string
	engine    *engine.Client
	source    *source.Selector
	journal   *journal.Journal
	recovered journal.Recovery
	backlog   govern.Backlog
	spool     *ship.Shipper
	notifier  *notify.Sender // nil where nobody outside of the suite is told
	closers   []closer
}

// closer undoes one step of the start.
type closer struct {
	what  string
	close func() error
}

// open opens everything, or nothing.
func open(ctx context.Context, cfg config, log zerolog.Logger) (*components, error) {
	c := &components{cfg: cfg, log: log}
	for _, step := range []func(context.Context) error{c.openNotifier, c.openEngine, c.openSource, c.openSpool, c.openJournal} {
		if err := step(ctx); err != nil {
			c.close()
			return nil, err
		}
	}
	return c, nil
}

// openNotifier comes first: a webhook that cannot be used is found before anything is begun.
func (c *components) openNotifier(context.Context) error {
	if !c.cfg.notifies() {
		return nil
	}
	webhook, err := c.cfg.webhook()
	if err != nil {
		return cli.WithExitCode(exitConfig, err)
	}
	c.notifier = notify.New(webhook)
	return nil
}

// notices is the notifier for the governor, nil without one.
func (c *components) notices() govern.Notifier {
	if c.notifier == nil {
		return nil
	}
	return c.notifier
}

func (c *components) openEngine(ctx context.Context) error {
	// The token is read anew for each request; one that cannot be read at all is found before anything is begun.
	var err error
	if _, err = c.cfg.token(); err != nil {
		return cli.WithExitCode(exitConfig, err)
	}
	if c.engine, err = engine.Open(c.cfg.Engine); err != nil {
		return cli.WithExitCode(exitConfig, err)
	}
	c.addCloser("engine", c.engine.Close)

	name, err := waitForEngine(ctx, c.engine, c.cfg.EngineWait, c.log)
	if err != nil {
		return cli.WithExitCode(exitEngine, fmt.Errorf("%w; next: %s", err, cmp.Or(engine.Advice(err), "check that GESTOR_ENGINE is the address of a Docker engine")))
	}

	c.host = c.cfg.Host
	if c.host == "" {
		c.host = name
	}
	return nil
}

func (c *components) openSource(context.Context) error {
	var err error
	c.source, err = source.Open(source.Options{
		Choice: c.cfg.Source,
		Module: kmod.Options{Proc: c.cfg.Proc, Name: c.cfg.ProcName},
		Procfs: hostproc.Options{Proc: c.cfg.Proc, Cgroup: c.cfg.Cgroup, CmdlineMax: int(c.cfg.CmdlineMax)},
	}, c.log)
	return cli.WithExitCode(exitSource, err)
}

// openJournal comes after the spool, whose records show how far the journal had got.
func (c *components) openJournal(context.Context) error {
	journalled, observations := c.spool.Journalled()
	var err error
	options := journal.Options{Version: journal.Version, After: journalled, MinFree: uint64(c.cfg.MinFree)}
	if c.journal, c.recovered, err = journal.Open(journalDir(c.cfg), options); err != nil {
		return cli.WithExitCode(exitStorage, err)
	}
	c.addCloser("journal", c.journal.Close)

	// A new spool: what it does not hold of this journal was in another one, and only for notices somebody waits.
	if journalled == 0 {
		c.backlog.Entries, err = journal.OpenNotices(journalDir(c.cfg), c.recovered.Open)
		return cli.WithExitCode(exitStorage, err)
	}

	c.backlog.Observations = observations
	c.backlog.Backlog, err = journal.Behind(journalDir(c.cfg), journalled)
	return cli.WithExitCode(exitStorage, err)
}

// socketOnHost is the path of the engine's socket on the host: who mounts it is not own unless the policy says so. Where it is not known
// only the usual places count.
func (c *components) socketOnHost(ctx context.Context) string {
	call, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	socket, err := c.engine.SocketOnHost(call, c.cfg.suite().ManagerID)
	if err != nil {
		c.log.Warn().Err(err).Msg("where the engine's socket lies on the host is not known: of its mounts those at the usual places and of the usual names are found")
	}
	return socket
}

// keepJournal seals and deletes what the journal has done with, until ctx ends.
func (c *components) keepJournal(ctx context.Context) error {
	for {
		if err := c.journal.CleanUp(); err != nil {
			c.log.Warn().Err(err).Msg("the journal's old files stay as they are; it is tried again when the next one is complete")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-c.journal.Rotated():
		}
	}
}

// openNetwork makes the counter of the containers' traffic. It opens nothing before it is asked.
func (c *components) openNetwork() *netdev.Reader {
	counters := netdev.New(c.cfg.Proc, boottime)
	c.addCloser("network counters", func() error { counters.Close(); return nil })
	return counters
}

func (c *components) openSpool(context.Context) error {
	boot, err := bootID(c.cfg.Proc)
	if err != nil {
		return cli.WithExitCode(exitSource, err)
	}

	c.spool, err = ship.Open(ship.Config{
		Dir: spoolDir(c.cfg), URL: c.cfg.LogsURL, Producer: contract.ProducerManager, Host: c.host, Boot: boot,
		MaxBytes: int64(c.cfg.SpoolBytes), Token: c.cfg.token,
		Log: func(message string, err error) { c.log.Warn().Err(err).Msg(message) },
	})
	if err != nil {
		return cli.WithExitCode(exitStorage, err)
	}
	c.addCloser("spool", c.spool.Close)
	return nil
}

func (c *components) addCloser(what string, closeIt func() error) {
	c.closers = append(c.closers, closer{what, closeIt})
}

// close closes what is open, the last first.
func (c *components) close() {
	for i := len(c.closers) - 1; i >= 0; i-- {
		last := c.closers[i]
		c.timed("close "+last.what, last.close)
	}
	c.closers = nil
}

func (c *components) timed(what string, step func() error) {
	start := time.Now()
	err := step()

	line := c.log.Info()
	if err != nil {
		line = c.log.Warn().Err(err)
	}
	line.Dur("took_ms", time.Since(start)).Msg(what)
}

// awaitLogs waits until the log service answers, within GESTOR_LOGS_WAIT. Without it the manager governs all the same: its
// records wait on disk. One that answers that it takes none is not waited for: its disk may be full for days, and a full host
// is the one that has to be governed.
func (c *components) awaitLogs(ctx context.Context) {
	until := time.Now().Add(c.cfg.LogsWait)
	for ctx.Err() == nil {
		err := get(ctx, strings.TrimSuffix(c.cfg.LogsURL, "/")+contract.PathReady)
		if err == nil {
			return
		}

		if errors.Is(err, errAnswered) {
			c.log.Warn().Err(err).Msg("the log service answers that it is not well; governing begins, and what it does not take waits on disk")
			return
		}

		if time.Now().After(until) {
			next := "start it with docker compose up -d logs"
			if c.cfg.Elsewhere {
				next = "see that GESTOR_LOGS_URL (" + c.cfg.shownLogsURL() + ") answers from here"
			}
			c.log.Warn().Err(err).Msg("the log service is not ready; governing goes on and records wait on disk; " + next)
			return
		}

		sleep(ctx, time.Second)
	}
}

// firstRecords are the first records of the run.
func (c *components) firstRecords(policy govern.PolicyUpdate) []contract.Record {
	records := []contract.Record{startRecord(c.cfg, policy.Policy)}
	if v := policy.Version2; v != nil {
		records[0] = startRecordOf(c.cfg, v.Policy.Hash(), v.Policy.Mode, time.Duration(v.Policy.Tick)*time.Second)
	}
	if journalled, _ := c.spool.Journalled(); journalled == 0 {
		records[0].JournalSeq = c.journal.Seq() // what the journal holds by now does not belong into this spool
	}

	if c.recovered.TornBytes > 0 || c.recovered.BadLines > 0 {
		records = append(records, tornRecord(c.recovered))
	}
	return records
}

// tornRecord reports a journal that an earlier run could not finish writing, or that was damaged.
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

// shutdown sends the last records and asks for the charts: the manager's last request.
func (c *components) shutdown(reason error) {
	if err := c.spool.Append(govern.StopRecord(reason)); err != nil {
		c.log.Warn().Err(err).Msg("the last record could not be kept")
	}

	// The charts are drawn of what has arrived: the records first.
	ctx, cancel := context.WithTimeout(context.Background(), c.cfg.Flush)
	defer cancel()
	c.timed("flush records", func() error { return c.spool.Flush(ctx) })
	c.timed("ask for the charts", c.requestCharts)
}

// chartsTimeout is how long the log service may take to draw everything it holds.
const chartsTimeout = 15 * time.Second

func (c *components) requestCharts() error {
	url := strings.TrimSuffix(c.cfg.LogsURL, "/") + contract.PathCharts
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, http.NoBody)
	if err != nil {
		return err
	}
	token, err := c.cfg.token()
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
