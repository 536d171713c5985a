package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/rs/zerolog"

	"gestor.local/contract"
	"gestor.local/manager/internal/console"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/ops"
	"gestor.local/program/cli"
)

// serve wires the manager and governs until ctx ends:
//
//	/proc, cgroups or module ──► source ──┐                       ┌──► console (on a terminal)
//	                                      ├──► governor ── sinks ─┼──► metrics ──┐
//	       Docker Engine ◄──► engine ─────┘    │      │           └──► health ───┼──► ops port :8081
//	                                           ▼      ▼                          │
//	                                        journal  spool ──► log service       │
//	                                           └── explain ──────────────────────┘
//
// With GESTOR_NOTIFY_URL the governor gives its notices to a sender as well, which calls the webhook.
//
// Things are opened from the engine to the port and closed in the reverse order, each step timed in the log.
func serve(ctx context.Context, cfg config, log zerolog.Logger, stdout io.Writer) error {
	return serveUnder(ctx, cfg, newPolicyFile(cfg), log, stdout)
}

// policySource knows the policy that is to be in force, from the start on.
type policySource interface {
	govern.PolicySource
	read() govern.PolicyUpdate
}

// serveUnder is serve under the policy of a source.
func serveUnder(ctx context.Context, cfg config, file policySource, log zerolog.Logger, stdout io.Writer) error {
	// A signal without a handler ends the process: it must do so neither while the manager starts nor while removals end.
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)

	policy := file.read()
	if policy.Err != nil {
		return cli.WithExitCode(exitConfig, policy.Err)
	}

	components, err := open(ctx, cfg, log)
	if err != nil && ctx.Err() != nil {
		return nil // stopped before it had started
	}
	if err != nil {
		return err
	}
	defer components.close()

	if cfg.Elsewhere {
		log.Info().Str("logs", cfg.shownLogsURL()).Msg("the log service runs elsewhere (GESTOR_LOGS_ELSEWHERE): it is not looked for on this engine")
	}
	components.awaitLogs(ctx)

	// Before the loop: a manager that has to end because of its port has removed nothing.
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Ops)
	if err != nil && ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return cli.WithExitCode(exitConfig, fmt.Errorf("listen on GESTOR_OPS=%s: %w; choose an address with a free port, as in 127.0.0.1:8081", cfg.Ops, err))
	}

	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if components.notifier != nil {
		ops.RegisterNotices(registry, components.notifier.Stats)
	}
	health := &ops.Health{}
	sinks := []govern.Sink{ops.NewMetrics(registry, contract.Version), health, newConsoleSink(cfg, stdout, log)}
	governor := govern.New(govern.Options{
		Policy: policy.Policy, Version2: policy.Version2, Policies: file, Network: components.openNetwork(), Notifier: components.notices(), Suite: cfg.suite(), Socket: components.socketOnHost(ctx), Host: components.host, Reader: components.source, Engine: components.engine, Journal: components.journal,
		Spool: components.spool, Recovered: components.recovered, First: components.firstRecords(policy), Backlog: components.backlog, Boottime: boottime, RecordAll: cfg.Record == "all", Drain: cfg.Drain,
		RemoveOrphansAtStop: true,
		Sinks:               sinks, Log: log,
	})
	server := ops.Handler{Health: health, Metrics: registry, Journal: explainJournal(cfg), Version: contract.Version, Hosts: cfg.Hosts, Reload: governor.Reload}.Server(cfg.Ops)

	err = runActors(ctx, log, components, governor, server, listener, hup)
	components.shutdown(err)
	return err
}

// runActors runs all actors until one of them ends; the others are then stopped.
func runActors(ctx context.Context, log zerolog.Logger, components *components, governor *govern.Governor, server *http.Server, listener net.Listener, hup <-chan os.Signal) error {
	var g run.Group
	add := func(actor func(context.Context) error) {
		ctx, cancel := context.WithCancel(ctx)
		g.Add(func() error { return actor(ctx) }, func(error) { cancel() })
	}

	add(func(ctx context.Context) error { // a signal
		<-ctx.Done()
		log.Info().Msg("stopping")
		return nil
	})
	add(func(ctx context.Context) error { return withLoopExitCode(governor.Run(ctx)) })
	add(func(ctx context.Context) error { return cli.WithExitCode(exitStorage, components.spool.Run(ctx)) })
	add(components.keepJournal)
	if components.notifier != nil { // it drains nothing: what it has not told is told after the next start
		add(components.notifier.Run)
	}
	add(func(ctx context.Context) error { return reloadOnSignal(ctx, hup, governor, log) })

	// It has no context: it is ended by being shut down.
	g.Add(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("ops port: %w", err)
		}
		return nil
	}, func(error) { shutdownServer(server) })
	return g.Run()
}

// shutdownServer gives requests under way a moment; whoever scrapes metrics can wait no longer.
func shutdownServer(server *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = server.Shutdown(ctx) // the connections end with the process
}

// reloadOnSignal makes the governor read the policy on every SIGHUP, also for one that came during the start.
func reloadOnSignal(ctx context.Context, hup <-chan os.Signal, governor *govern.Governor, log zerolog.Logger) error {
	for {
		select {
		case <-ctx.Done():
			return nil

		case <-hup:
			if result, err := governor.Reload(ctx); err == nil {
				log.Info().Str("policy", result.Policy).Bool("changed", result.Changed).Str("refused", result.Refused).Msg("the policy was looked at for SIGHUP")
			}
		}
	}
}

// newConsoleSink makes the sink that prints what happens: a table each tick for people, log lines for machines.
func newConsoleSink(cfg config, stdout io.Writer, log zerolog.Logger) govern.Sink {
	if cfg.forPeople(stdout) {
		return console.New(stdout)
	}
	return console.NewLines(log)
}

// withLoopExitCode gives the end of the loop its exit code: either the engine is gone, or else the journal or the spool is.
func withLoopExitCode(err error) error {
	if errors.Is(err, govern.ErrEngineUnreachable) {
		return cli.WithExitCode(exitEngine, err)
	}
	return cli.WithExitCode(exitStorage, err)
}

// waitForEngine returns the engine's name for the machine, trying for a while: a daemon may be on its way back.
func waitForEngine(ctx context.Context, c *engine.Client, wait time.Duration, log zerolog.Logger) (string, error) {
	// A version that is refused twice stays refused: only an engine that is away is waited for.
	until := time.Now().Add(wait)
	for refusals := 0; ; {
		call, cancel := context.WithTimeout(ctx, 5*time.Second)
		name, err := c.Name(call)
		cancel()
		if err == nil || time.Now().After(until) || ctx.Err() != nil {
			return name, err
		}

		if engine.KindOf(err) == engine.KindVersion { // the next call agrees anew; if that is refused too no wait helps
			if refusals++; refusals > 1 {
				return name, err
			}
			continue
		}

		log.Warn().Err(err).Msg("the engine does not answer yet")
		sleep(ctx, time.Second)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// startRecord is the first record of a run.
func startRecord(cfg config, p contract.Policy) contract.Record {
	return startRecordOf(cfg, p.Hash(), p.Mode, time.Duration(p.Tick))
}

func startRecordOf(cfg config, policy string, mode contract.Mode, tick time.Duration) contract.Record {
	body := contract.SystemBody{
		Event: "start", Level: contract.LevelInfo, Message: "the manager starts",
		Details: map[string]any{"version": contract.Version, "policy": policy, "mode": string(mode), "tick": tick.String()},
	}

	if cfg.Elsewhere {
		body.Message += "; its log service runs elsewhere, at " + cfg.shownLogsURL()
		body.Details["logs_elsewhere"] = cfg.shownLogsURL()
	}
	return contract.NewRecord(time.Now(), 0, "", body)
}
