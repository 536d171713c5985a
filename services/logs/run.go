package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/rs/zerolog"

	"gestor.local/contract"

	"gestor.local/logs/internal/listener"
	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/store"
	"gestor.local/logs/internal/web"
)

// The components and who calls whom:
//
//	HTTP ──► web ──► page, httpapi ──► query ──► store ──► segment ──► disk
//	                          │                    ▲
//	                          └────── append ──────┘
//
// Started from right to left, stopped from left to right: streams end, requests finish, the store closes its files.

// Time limits of the server. A stream moves its own write deadline.
const (
	headerTimeout = 5 * time.Second
	bodyTimeout   = 30 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 60 * time.Second
	stopTimeout   = 10 * time.Second
	maxHeader     = 16 << 10
	// maxConnections bounds what connections may take: some 16 KiB each. One client has at most half of them, so that it
	// takes several to fill all.
	maxConnections = 1024
	maxOfOneClient = maxConnections / 2
)

// errStorage is a failure of the disk: exit code 5.
var errStorage = errors.New("storage")

// serve runs the service until the context ends or the store fails. ready is called with the address it listens on.
func serve(ctx context.Context, cfg config, log zerolog.Logger, ready func(net.Addr)) error {
	options := cfg.store()
	options.OnPanic = func(what string, value any, stack []byte) {
		log.Error().Str("where", what).Str("panic", fmt.Sprint(value)).Bytes("stack", stack).Msg("panic")
	}
	records, err := store.Open(options)
	if err != nil {
		return fmt.Errorf("%w: %w", errStorage, err)
	}

	tcp, err := net.Listen("tcp", cfg.Addr)
	if err != nil {
		records.Close() // nothing was written
		return fmt.Errorf("listen on GESTOR_ADDR=%s: %w; choose an address with a free port, as in 127.0.0.1:8080", cfg.Addr, err)
	}

	closing := make(chan struct{})
	connections := listener.New(tcp, maxConnections, maxOfOneClient)
	handler, err := newHandler(cfg, log, records, connections, closing)
	if err != nil {
		return err
	}

	server := &http.Server{
		Handler: connections.Handler(handler), ConnContext: connections.Context, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
	}
	server.RegisterOnShutdown(func() { close(closing) }) // streams have no end of their own

	records.RecordStart()
	for name, text := range records.Conditions() {
		log.Warn().Str("condition", name).Msg(text)
	}

	// A token file may come later; until then it must not look as if there were none.
	for name, file := range map[string]string{
		"GESTOR_WRITE_TOKEN_FILE": cfg.WriteToken, "GESTOR_READ_TOKEN_FILE": cfg.ReadToken, "GESTOR_SUITE_TOKEN_FILE": cfg.SuiteToken,
	} {
		if err := checkReadable(file); err != nil {
			log.Warn().Err(err).Str("setting", name).Msg("nobody holds this token until the file can be read: check its owner and mode")
		}
	}

	log.Info().Str("addr", connections.Addr().String()).Str("data", cfg.Data).Uint64("head", records.Head()).Msg("serving")
	if ready != nil {
		ready(connections.Addr())
	}

	err = supervise(ctx, server, connections, records)
	if closeErr := records.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("%w: close: %w", errStorage, closeErr)
	}
	log.Info().Uint64("head", records.Head()).Msg("stopped")
	return err
}

// checkReadable returns why a token file cannot be read; none need be set.
func checkReadable(file string) error {
	if file == "" {
		return nil
	}
	_, err := os.ReadFile(file)
	return err
}

// supervise runs the server until it, the store or the context ends.
func supervise(ctx context.Context, server *http.Server, connections net.Listener, records *store.Store) error {
	var group run.Group
	group.Add(func() error {
		if err := server.Serve(connections); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	}, func(error) {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			server.Close() // who has not finished by now is cut off
		}
	})

	// A store that has failed takes nothing any more: the next start of the service reads its disk anew.
	stop := make(chan struct{})
	group.Add(func() error {
		select {
		case <-ctx.Done():
			return nil
		case <-records.Failure():
			return fmt.Errorf("%w: %w", errStorage, records.Err())
		case <-stop:
			return nil
		}
	}, func(error) { close(stop) })

	return group.Run()
}

func newHandler(cfg config, log zerolog.Logger, records *store.Store, connections *listener.Listener, closing <-chan struct{}) (http.Handler, error) {
	spec, err := openAPI()
	if err != nil {
		return nil, err
	}

	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), connections.Metrics())

	return web.New(web.Deps{
		Store: records, Query: query.New(records), Log: log, Metrics: metrics, DataDir: cfg.Data, Version: contract.Version,
		OpenAPI: spec, WriteToken: cfg.WriteToken, ReadToken: cfg.ReadToken, SuiteToken: cfg.SuiteToken, Hosts: cfg.Hosts, Closing: closing,
	}), nil
}

//go:embed openapi.yaml
var openAPIText []byte

// openAPI is the description of the API, as JSON.
func openAPI() ([]byte, error) {
	var doc any
	if err := yaml.Unmarshal(openAPIText, &doc); err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	return json.Marshal(doc)
}
