package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"gestor.local/contract"
	"gestor.local/generator/internal/churn"
	"gestor.local/generator/internal/containers"
	"gestor.local/generator/internal/launch"
	"gestor.local/generator/internal/lease"
	"gestor.local/generator/internal/plan"
	"gestor.local/generator/internal/report"
	"gestor.local/program/cli"
	"gestor.local/program/logging"
	"gestor.local/ship"
)

// The components of a run, made from top to bottom and ended from bottom to top:
//
//	engine ◄── containers (managed-containers.sh) ── sweep of what dead runs left
//	profile + seed ──► windows of the plan ──► data folder
//	                          │
//	gate (memory, failures) ──┤                    ship ──► log service
//	 └── probe ──► manager    │                     ▲
//	tracker ◄── watch         ▼                     │
//	launcher (launch-container.sh) ◄── churn ───────┤ launch records
//	                                     │          │
//	                                     ▼          │
//	                                  counter ──► ops (health, metrics, report)

// Times of the end of a run. Together they stay under the 90 s that compose gives.
const (
	startGrace   = 5 * time.Second // for starts that are under way
	drainTimeout = 55 * time.Second
	flushTimeout = 10 * time.Second
)

const (
	// engineWait is how long the engine may be away at the start: it may have been started together with us.
	engineWait = 30 * time.Second
	// windowLength of a plan without end: small files, and every start on disk long before its time.
	windowLength = time.Hour
	// resyncEvery bounds how long a missed event of the engine goes unnoticed.
	resyncEvery = 15 * time.Second
	// sweepEvery bounds how long a container without an owner stays while a generator runs.
	sweepEvery = 30 * time.Second
	// gateRetry is the time between trials while starts fail.
	gateRetry  = 15 * time.Second
	procDir    = "/proc"
	reportFile = "report.json"
	// retainFiles is how many plans and reports of earlier runs stay.
	retainFiles = 50
)

func runCommand(ctx context.Context, inv *cli.Invocation) error {
	c, err := loadConfig(inv.Flags, inv.Args(), "profile", "interval", "batch", "seed", "plan", "for", "strict")
	if err != nil {
		return err
	}
	if _, err := zerolog.ParseLevel(c.LogLevel); err != nil {
		return fmt.Errorf("%w: GESTOR_LOG_LEVEL: %w", errConfig, err)
	}

	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once

	log := logging.New(inv.Stdout, contract.ProducerGenerator, c.LogLevel, logging.IsTerminal(inv.Stdout))
	r, err := newRun(ctx, c, log)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		log.Info().Msg("stopped before the run began") // nothing was started, so that nothing is left
		return nil
	}
	if err != nil {
		return err
	}

	return r.run(ctx)
}

// run is everything that one run needs.
type run struct {
	config
	id, owner string
	log       zerolog.Logger
	spool     *ship.Shipper
	listener  net.Listener
	tracker   *churn.Tracker
	probe     *churn.ManagerProbe // nil when no manager is asked
	counter   *report.Counter
	runner    *churn.Runner
}

// newRun makes the components; nothing is started yet.
func newRun(ctx context.Context, c config, log zerolog.Logger) (r *run, err error) {
	r = &run{config: c, id: randomID(), log: log}

	// The host's name goes into every record, the owner into the label of every container.
	host, err := r.waitForEngine(ctx)
	if err != nil {
		return nil, err
	}
	if r.owner, err = lease.Owner(ctx, c.client(), procDir); err != nil {
		return nil, err
	}

	// What can fail for want of disk or port comes before the first container is started.
	windows, seed, name, err := r.windows(ctx)
	if err != nil {
		return nil, err
	}
	if r.spool, err = r.openSpool(host); err != nil {
		return nil, err
	}
	if r.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", c.Listen); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: GESTOR_OPS: %w", errConfig, err), r.spool.Close())
	}

	r.counter = report.NewCounter(r.id, seed, name, time.Now())
	r.tracker = churn.NewTracker(r.counter.Exited)
	r.runner = &churn.Runner{
		Options: churn.Options{
			RunID: r.id, MaxAlive: c.MaxAlive, MaxTotal: c.MaxTotal, Parallel: c.Parallel, MaxLate: c.MaxLate, Grace: startGrace,
		},
		Starter: launch.Launcher{
			Dir: c.Scripts, Timeout: c.Timeout, Run: r.id, Suite: c.Suite, Owner: r.owner, Lease: c.Lease,
		},
		Recorder: r.spool, Windows: windows, Tracker: r.tracker, Counter: r.counter, Log: r.warn,
		Gate: r.gate(),
	}

	r.recordEvent(contract.SystemBody{
		Event: "start", Level: contract.LevelInfo, Message: fmt.Sprintf("run %s begins: profile %s, seed %d", r.id, name, seed),
		Details: map[string]any{"run": r.id, "profile": name, "seed": fmt.Sprint(seed), "owner": r.owner, "version": contract.Version},
	})
	return r, nil
}

// gate holds starts back by the host's memory, by failures, and by the manager where there is one to ask.
func (r *run) gate() *churn.Gate {
	available := func() (uint64, error) { return churn.AvailableKB(procDir) }
	if r.Manager == "" {
		return churn.NewGate(uint64(r.MinFree)>>10, r.MaxFailures, gateRetry, available, nil)
	}
	r.probe = churn.NewManagerProbe(r.Manager, time.Now())
	return churn.NewGate(uint64(r.MinFree)>>10, r.MaxFailures, gateRetry, available, r.probe.Down)
}

// waitForEngine waits until the engine answers, and returns the host's name.
func (r *run) waitForEngine(ctx context.Context) (host string, err error) {
	// A wrong version of its interface does not pass by waiting.
	for end := time.Now().Add(engineWait); ; {
		host, err = r.client().EngineName(ctx)
		if err == nil || errors.Is(err, containers.ErrVersion) || time.Now().After(end) {
			break
		}

		r.warn("waiting for the engine", err)
		select {
		case <-time.After(2 * time.Second):
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}

	if r.Host != "" {
		host = r.Host
	}
	return host, err
}

// windows makes the run's plan, or reads it.
func (r *run) windows(ctx context.Context) (w churn.Windows, seed uint64, name string, err error) {
	if err := os.MkdirAll(r.State, 0o750); err != nil {
		return nil, 0, "", fmt.Errorf("%w: make GESTOR_STATE: %w", errStorage, err)
	}
	if err := prune(r.State, retainFiles); err != nil {
		r.warn("old plans and reports could not be removed", err)
	}

	if r.Plan != "" {
		p, err := readPlan(r.Plan)
		return &plan.Single{Plan: p}, p.Header.Seed, p.Header.Profile.Name, err
	}

	p, images, err := r.planInputs(ctx)
	if err != nil {
		return nil, 0, "", err
	}

	seed = r.seedOrRandom()
	return &plan.Windower{
		Seed: seed, Profile: p, Images: images, Length: windowLength, For: r.For, Dir: r.State, Run: r.id, Retain: retainFiles,
	}, seed, p.Name, nil
}

func (r *run) openSpool(host string) (*ship.Shipper, error) {
	boot, err := os.ReadFile(filepath.Join(procDir, "sys/kernel/random/boot_id"))
	if err != nil {
		return nil, fmt.Errorf("read boot id: %w", err)
	}
	if _, err := r.token(); err != nil {
		return nil, fmt.Errorf("%w: %w", errConfig, err)
	}

	spool, err := ship.Open(ship.Config{
		Dir: filepath.Join(r.State, "spool"), URL: r.LogsURL, Producer: contract.ProducerGenerator, Host: host,
		Boot: strings.TrimSpace(string(boot)), Token: r.token, Log: r.warn,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errStorage, err)
	}
	return spool, nil
}

func (r *run) report() report.Report { return r.counter.Report(r.tracker.Alive()) }

// recordEvent logs an event and records it.
func (r *run) recordEvent(body contract.SystemBody) {
	r.log.Info().Str("event", body.Event).Str("run", r.id).Msg(body.Message)
	if err := r.spool.Append(contract.NewRecord(time.Now(), 0, "", body)); err != nil {
		r.warn("a record could not be kept", err)
	}
}

// warn logs what an operator should know: with an error it is a warning.
func (r *run) warn(message string, err error) {
	if err == nil {
		r.log.Info().Msg(message)
		return
	}
	r.log.Warn().Err(err).Msg(message)
}

// randomID names a run: 32 bits are enough to distinguish the runs of one host.
func randomID() string {
	id := make([]byte, 4)
	_, _ = rand.Read(id) // never fails (crypto/rand)
	return hex.EncodeToString(id)
}

// seedOrRandom is the seed that was set, or one that nobody knows yet.
func (c config) seedOrRandom() uint64 {
	if seed, err := c.seed(); err == nil && seed != nil {
		return *seed
	}
	var b [8]byte
	_, _ = rand.Read(b[:])                    // never fails (crypto/rand)
	return binary.BigEndian.Uint64(b[:]) >> 1 // 63 bits: every JSON and spreadsheet reader's integers hold it in quotes
}
