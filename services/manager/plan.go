package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/approval"
	"gestor.local/manager/internal/explain"
	"gestor.local/manager/internal/facts"
	"gestor.local/manager/internal/journal"
	"gestor.local/manager/internal/planview"
	"gestor.local/manager/internal/policyfile"
	"gestor.local/manager/internal/population"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/source/hostproc"
	"gestor.local/manager/internal/source/netdev"
	"gestor.local/program/cli"
)

// exitSomethingToDo says of a plan that some step of it is due.
const exitSomethingToDo = 10

const planHelp = "Shows what a policy of version 2 would do with the containers of this host, now and next, and why. It\n" +
	"touches nothing: no container, no journal, no record; a running manager does not notice. The host is read\n" +
	"as often as the policy's warm-up asks for, a tick apart. What was done before, and what only time can tell\n" +
	"(idle, for), is taken from the manager's journal; without one it begins with the first reading.\n" +
	"With --sizes it also says what a remove of each own container would lose, and how many containers of the\n" +
	"host each selector of protect covers; steps are those of a plan that is approved anew now. That takes the\n" +
	"engine up to 10 s a container, four at a time. Its JSON is what the command approval reads.\n" +
	"The exit code is 0 when nothing is to be done now, 10 when something is."

// planCommand shows a plan that nobody carries out.
func planCommand(ctx context.Context, inv *cli.Invocation) error {
	cfg, err := loadConfig()
	if err != nil {
		return cli.WithExitCode(exitConfig, err)
	}
	path := inv.Flags.String("policy", cfg.Policy, "which policy, as the manager itself would name it")
	asJSON := inv.Flags.Bool("json", false, "print the plan document instead of a table")
	sizes := inv.Flags.Bool("sizes", false, "say what a remove would lose, and what protect covers")
	if err := inv.Parse(0); err != nil {
		return err
	}

	policy, err := planPolicy(cfg, *path)
	if *path == cfg.Policy && errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(inv.Stderr, "policy-plan: %v: make govern drafts one; until there is one the manager touches nobody\n", err)
		policy = policy2.None()
		err = cfg.overrideTick(&policy)
	}
	if err != nil {
		return cli.WithExitCode(exitConfig, err)
	}
	approved, err := policyfile.LoadApproved(policyfile.ApprovedPath(*path))
	if err != nil {
		fmt.Fprintf(inv.Stderr, "policy-plan: %v\n", err) // it approves nothing
	}
	inForce := rules.Approval(policy, approved)
	inForce.DryRun = cfg.DryRun
	if *sizes {
		// Whoever approves it anew approves those too that came to be own since the last time.
		inForce.OwnCount = math.MaxInt32
	}

	c := &components{cfg: cfg, log: zerolog.New(inv.Stderr).Level(zerolog.ErrorLevel)}
	defer c.close()
	for _, step := range []func(context.Context) error{c.openEngine, c.openSource} {
		if err := step(ctx); err != nil {
			return err
		}
	}

	p := planner{components: c, policy: policy, inForce: inForce, program: rules.New(policy)}
	fmt.Fprintf(inv.Stderr, "policy-plan: %d readings, %s apart\n", policy.Warmup+1, policy.Tick)
	view, err := p.plan(ctx)
	if err != nil {
		return err
	}
	view.Path = *path

	if *sizes {
		err = p.writeReview(ctx, inv, view, *asJSON)
	} else {
		err = writePlan(inv.Stdout, view, *asJSON)
	}
	if n := view.Due(); err == nil && n > 0 {
		return cli.WithExitCode(exitSomethingToDo, fmt.Errorf("a step is due now for %d of %d own containers", n, view.Plan.Own))
	}
	return err
}

func writePlan(w io.Writer, view planview.View, asJSON bool) error {
	if asJSON {
		return explain.JSON(w, view.Plan)
	}
	return view.Table(w)
}

// writeReview writes the plan with what a person is to see of the host before he approves the policy.
func (p *planner) writeReview(ctx context.Context, inv *cli.Invocation, view planview.View, asJSON bool) error {
	var ids []string
	for _, c := range view.Own() {
		ids = append(ids, c.ID)
	}
	fmt.Fprintf(inv.Stderr, "policy-plan: the sizes of %d own containers\n", len(ids))

	// The manager last: its state is that of now, whatever the sizes took.
	sizes := facts.Sizes(ctx, p.engine, ids)
	manager, err := managerState(ctx, p.cfg)
	if err != nil {
		fmt.Fprintf(inv.Stderr, "policy-plan: no manager answers: %v\n", err)
	}

	review := approval.NewReview(view, sizes, manager)
	review.Remembered = p.last > 0
	if asJSON {
		return explain.JSON(inv.Stdout, review)
	}
	if err := view.Table(inv.Stdout); err != nil {
		return err
	}
	return review.WriteSizes(inv.Stdout)
}

// managerState asks the running manager at GESTOR_OPS for its state.
func managerState(ctx context.Context, cfg config) (*approval.Manager, error) {
	a, err := ask(ctx, http.MethodGet, cfg.opsURL()+contract.PathReady, healthTimeout) // 503 is an answer, too
	if err != nil {
		return nil, err
	}

	var ready struct {
		approval.Manager
		Version2 *struct {
			ClockInDoubt bool `json:"clock_in_doubt"`
		} `json:"version_2"`
	}
	if err := json.Unmarshal(a.text, &ready); err != nil {
		return nil, fmt.Errorf("%s answers with what is not its state: %w", cfg.opsURL(), err)
	}
	m := ready.Manager
	m.ClockInDoubt = ready.Version2 == nil || ready.Version2.ClockInDoubt
	return &m, nil
}

// planPolicy reads a policy of version 2, with the tick that the manager would plan it with; without a file it is the default.
func planPolicy(cfg config, path string) (policy2.Policy, error) {
	if path == "" {
		p := policy2.Shipped()
		err := cfg.overrideTick(&p)
		return p, err
	}

	document, err := policyfile.Load(path)
	switch {
	case err != nil:
		return policy2.Policy{}, err
	case document.V2 == nil:
		return policy2.Policy{}, fmt.Errorf("policy %s is of version 1, whose plan is shown by: once --shadow", path)
	default:
		err = cfg.overrideTick(document.V2)
		return *document.V2, err
	}
}

// planner makes one plan of several readings.
type planner struct {
	*components
	policy  policy2.Policy
	inForce rules.InForce
	program *rules.Program

	population population.State
	memory     rules.Memory
	last       uint64 // the tick that the memory is of, 0 without one
}

// recall takes over the memory of the manager that runs here, and says what else its journal knows. Without one that is whole, or under
// a policy of version 1, there is nothing to take over.
func (p *planner) recall() facts.Options {
	h, err := journal.HistoryTo(journalDir(p.cfg), math.MaxUint64)
	if err != nil || !h.Whole() || h.Program() == nil || h.Facts().BootID == "" {
		return facts.Options{}
	}
	p.memory, p.last = h.Memory(), h.Tick()
	return facts.Options{Clock: facts.ClockOf(h.Facts()), Before: h.Facts().Containers}
}

// plan reads the host until everybody who was there at first can be judged.
func (p *planner) plan(ctx context.Context) (planview.View, error) {
	o := p.recall()
	o.Socket = p.socketOnHost(ctx)
	builder := facts.New(o)
	counters := netdev.New(p.cfg.Proc, boottime)
	defer counters.Close()

	for n := 1; ; n++ {
		view, err := p.tick(ctx, builder, counters, uint64(n)) //nolint:gosec // few
		if err != nil || n > p.policy.Warmup {
			return view, err
		}

		select {
		case <-ctx.Done():
			return view, ctx.Err()
		case <-time.After(time.Duration(p.policy.Tick) * time.Second):
		}
	}
}

// tick makes the plan of one reading.
func (p *planner) tick(ctx context.Context, builder *facts.Builder, counters *netdev.Reader, number uint64) (planview.View, error) {
	reading, err := p.source.Read(ctx)
	if err != nil {
		return planview.View{}, cli.WithExitCode(exitSource, err)
	}
	next, pop, _, err := p.population.Advance(reading.Snapshot, reading.Bad)
	if err != nil {
		return planview.View{}, cli.WithExitCode(exitSource, err)
	}
	p.population = next

	inventory, err := p.engine.List(ctx)
	if err != nil {
		return planview.View{}, cli.WithExitCode(exitEngine, err)
	}
	builder.Inspected(facts.Inspect(ctx, p.engine, builder.Observe(inventory, reading.Snapshot)))

	suite := facts.SuiteOf(p.cfg.Suite, hostproc.OwnContainer(), facts.PartsOf(p.cfg.Suite, inventory), inventory)
	f := builder.Facts(facts.Tick{
		Number: p.last + number, Clocks: p.clocks(reading.Snapshot), Population: &pop, Snapshot: reading.Snapshot, Inventory: inventory,
		Suite:   suite,
		Network: counters.Read(builder.Counted(reading.Snapshot, &pop, facts.AsksIdle(&p.policy, suite))),
	})
	f.InForce = p.inForce

	plan := rules.Decide(p.program, p.memory, &f)
	p.memory = rules.Remember(p.program, p.memory, &f, plan, nil)
	return planview.View{Host: p.host, Source: reading.Source, Policy: p.policy, Facts: &f, Plan: plan}, nil
}

// clocks are the host's at the moment of the reading's end.
func (p *planner) clocks(snap *contract.Snapshot) facts.Reading {
	return facts.Reading{BootID: cmp.Or(snap.BootID, snap.Instance), BootUS: boottime(), WallUS: time.Now().UnixMicro()}
}
