package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"reflect"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/policyfile"
	"gestor.local/program/cli"
	"gestor.local/program/logging"
)

// divisorKey makes this test's program the manager under the policy of GESTOR_POLICY with all its times divided by so much, for the
// tests in e2e that hold the examples against a real engine within minutes. The grammar's bounds are those of the undivided policy.
const divisorKey = "GESTOR_TEST_DIVISOR"

func runDivided(by string, stdout io.Writer) int {
	cfg, err := loadConfig()
	n, wrong := strconv.Atoi(by)
	if err := errors.Join(err, wrong); err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		return exitConfig
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	log := logging.New(stdout, contract.ProducerManager, cfg.LogLevel, false)
	if err := serveUnder(ctx, cfg, &dividedPolicy{cfg: cfg, by: policy2.Duration(n)}, log, stdout); err != nil {
		log.Error().Err(err).Msg("the manager stops")
		return cli.ExitCode(err)
	}
	return 0
}

// dividedPolicy is the policy of a file with its times divided. It is approved, whatever is own, as long as there is a file where the
// approval would be.
type dividedPolicy struct {
	cfg      config
	by       policy2.Duration
	approved atomic.Bool // as of the last poll
}

func (d *dividedPolicy) Poll(anew bool) (govern.PolicyUpdate, bool) {
	if !d.Stale() && !anew {
		return govern.PolicyUpdate{}, false
	}
	return d.read(), true
}

func (d *dividedPolicy) Stale() bool { return d.isThere() != d.approved.Load() }

func (d *dividedPolicy) isThere() bool {
	_, err := os.Stat(policyfile.ApprovedPath(d.cfg.Policy))
	return err == nil
}

func (d *dividedPolicy) read() (r govern.PolicyUpdate) {
	document, _, err := d.cfg.document()
	if err == nil && document.V2 == nil {
		err = errors.New("the policy is not of version 2")
	}
	err = errors.Join(err, d.cfg.checkSuite(document))
	if err != nil {
		return govern.PolicyUpdate{Err: err}
	}

	r.Version2 = &govern.Version2{Policy: divided(*document.V2, d.by)}
	d.approved.Store(d.isThere())
	if d.approved.Load() {
		const own = 1000
		a := policy2.NewApproved(r.Version2.Policy, time.Now(), "somebody", own)
		r.Version2.Approved = &a
	}
	return r
}

// divided is the policy with the tick and all times of its rules divided, to whole seconds, one at least. What the budget counts in, and
// what an engine call may take, stay.
func divided(p policy2.Policy, by policy2.Duration) policy2.Policy {
	p.Tick = max(p.Tick/by, 1)
	divideTimes(reflect.ValueOf(p.Rules), by)
	return p
}

func divideTimes(v reflect.Value, by policy2.Duration) {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			divideTimes(v.Index(i), by)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			divideTimes(v.Elem(), by)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				divideTimes(v.Field(i), by)
			}
		}
	default:
		if d, ok := v.Interface().(policy2.Duration); ok && d > 0 {
			v.SetInt(int64(max(d/by, 1)))
		}
	}
}

func TestDivided(t *testing.T) {
	d, err := policyfile.Load("../../policy/examples/previews.yaml")
	if err != nil {
		t.Fatal(err)
	}
	before := d.V2.Hash()
	p := divided(*d.V2, 60)
	stale := p.Rules[1]
	if p.Tick != 1 || stale.RestWhen.Age != 72*policy2.Minute || stale.Rest[1].After != 24*policy2.Minute || stale.Rest[2].After != 96*policy2.Minute {
		t.Errorf("tick %s, %+v", p.Tick, stale)
	}
	if p.Hash() == before || p.Budget[0].Span != d.V2.Budget[0].Span {
		t.Errorf("hash %s, budget %v", p.Hash(), p.Budget)
	}
}
