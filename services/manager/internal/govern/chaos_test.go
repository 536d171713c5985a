package govern_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/govern"
)

// TestNoHarmWhateverHappens lets containers come, go, pause and start again, the engine fail in every way it has, the
// readings fail, the spool fill and the manager crash, and holds what must never happen against every call it makes.
func TestNoHarmWhateverHappens(t *testing.T) {
	seeds := 15
	if os.Getenv("GESTOR_SOAK") != "" {
		seeds = 1000
	}
	for seed := range seeds {
		for _, version := range []int{1, 2} {
			t.Run(fmt.Sprintf("version %d seed %d", version, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := newChaos(t, uint64(seed)) //nolint:gosec // not negative
					if version == 2 {
						c.options.Version2 = version2(t, sameAsVersion1)
						c.options.Version2.Policy.Act.Parallel = c.options.Policy.Act.Parallel
					}
					c.run()
					if problem := c.replayed(); problem != "" {
						t.Error(problem)
					}
				})
			})
		}
	}
}

// sameAsVersion1 has the places of the default policy, and a rule that throttles.
const sameAsVersion1 = `own: [{label: gestor.managed=true}]
rules:
  - {name: hogs, when: {cpu: 40%, for: 20s}, do: throttle to 20%, calm: 1m}
  - {name: low, match: {class: low}, each: container, keep: {lightest: 3}, rest: remove}
  - {name: high, match: {class: high}, each: container, keep: {heaviest: 2}, rest: [stop, {after: 20s, do: remove}]}
  - {name: dead, when: {ended: 1m}, do: remove}
`

// chaos is one history.
type chaos struct {
	*fixture
	draw   *rand.Rand
	next   int // number of the next container
	killed map[string]int
}

func newChaos(t *testing.T, seed uint64) *chaos {
	t.Helper()
	c := &chaos{draw: rand.New(rand.NewPCG(seed, 1)), next: 100, killed: make(map[string]int)}
	c.fixture = newFixture(t, c.draw.IntN(12), c.draw.IntN(8))
	p := &c.options.Policy
	p.Young.Max, p.Act.Parallel = 1000, 1+c.draw.IntN(4)
	if c.draw.IntN(3) == 0 {
		p.Act.Ladder = []contract.Rung{contract.RungThrottle, contract.RungStop, contract.RungKill, contract.RungRemove}
	}

	for n, labels := range []map[string]string{
		nil, {contract.LabelClass: "low"}, {contract.LabelManaged: "true", contract.LabelRole: "logs", contract.LabelConfigHash: "1", contract.LabelClass: "low"},
	} {
		id := strings.Repeat("e", 63) + fmt.Sprint(n)
		c.engine.Add(enginetest.Container{ID: id, Name: "untouchable", Labels: labels})
		c.reader.use(id, 900)
	}
	c.engine.Watch(c.check)
	return c
}

// check holds one call of the manager against the promises.
func (c *chaos) check(call enginetest.Call, target enginetest.Container, all []enginetest.Container) {
	if !contract.Owned(target.Labels, "") {
		c.t.Errorf("%s of %s, which is not owned", call.Op, target.Name)
	}
	if call.Op == "update" || target.State != "running" {
		return
	}
	class, others := target.Labels[contract.LabelClass], 0
	for _, o := range all {
		if o.ID != target.ID && o.State == "running" && o.Labels[contract.LabelClass] == class && contract.Owned(o.Labels, "") {
			others++
		}
	}
	if quota := map[string]int{"low": 3, "high": 2}[class]; others < quota {
		c.t.Errorf("%s of %s leaves %d of class %s, the policy keeps %d", call.Op, target.Name, others, class, quota)
	}
}

// run is a few lives of the manager, ended by crashes or stops, and then a quiet one in which all must come right.
func (c *chaos) run() {
	for range 2 + c.draw.IntN(3) {
		c.options.Drain = time.Duration(c.draw.IntN(2)) * 30 * time.Second // 0 is a crash
		life := time.Duration(20+c.draw.IntN(120)) * time.Second
		if err := c.runWith(life, func(*govern.Governor) { c.disturb(life - time.Second) }); err != nil {
			c.t.Fatal(err)
		}
	}

	// From here on nothing disturbs: all that was left undone must be put right.
	c.engine.ClearFaults()
	c.reader.fail(nil)
	c.spool.fill(nil)
	c.options.Drain = 30 * time.Second
	if err := c.fixture.run(8*time.Minute + 5*time.Second); err != nil {
		c.t.Fatal(err)
	}

	if open := c.open(); len(open) != 0 {
		c.t.Errorf("intents without an outcome: %+v", open)
	}

	for _, id := range c.engine.IDs() {
		one, _ := c.engine.Get(id)
		if one.CPU != (engine.CPULimit{}) {
			c.t.Errorf("%s keeps the lowered limit %+v", one.Name, one.CPU)
		}
	}
}

// disturb does something every few seconds, never in the same instant as a tick or an answer: what then comes first
// would be chance.
func (c *chaos) disturb(during time.Duration) {
	time.Sleep(313 * time.Millisecond)
	for end := time.Now().Add(during); ; {
		wait := time.Duration(1+c.draw.IntN(8)) * time.Second
		if time.Now().Add(wait).After(end) {
			return
		}
		time.Sleep(wait)
		c.disturbOnce()
	}
}

func (c *chaos) disturbOnce() {
	ids := c.engine.IDs()
	id := ids[c.draw.IntN(len(ids))]

	switch c.draw.IntN(12) {
	case 0, 1, 2, 3:
		c.next++
		class := []string{"low", "high"}[c.draw.IntN(2)]
		c.add(class, c.next, uint64(c.draw.IntN(1000)))

	case 4:
		if id[0] != 'e' {
			c.engine.Drop(id)
		}

	case 5:
		c.engine.Change(id, func(one *enginetest.Container) {
			one.State = map[string]string{"running": "paused", "paused": "running"}[one.State]
			if one.State == "" {
				one.State = "exited"
			}
		})

	case 6:
		c.engine.Change(id, func(one *enginetest.Container) {
			one.State, one.StartedAt = "running", time.Now().Format(time.RFC3339Nano)
		})
		c.reader.use(id, uint64(c.draw.IntN(1000)))

	case 7, 8:
		c.engine.Inject(c.fault())
	case 9:
		c.engine.ClearFaults()
	case 10:
		c.reader.fail([]error{nil, nil, errors.New("gone")}[c.draw.IntN(3)])
	default:
		c.spool.fill([]error{nil, nil, errors.New("full")}[c.draw.IntN(3)])
	}
}

// fault draws one of the ways in which an engine fails. Reading calls are not delayed: what happens while one is under
// way cannot be known by anybody. An engine that says of a living container that it is gone or going is believed where
// its limit is changed.
func (c *chaos) fault() enginetest.Fault {
	kinds := []engine.Kind{
		engine.KindNone, engine.KindNotRunning, engine.KindRemoving, engine.KindServer, engine.KindUnreachable, engine.KindOther,
	}
	f := enginetest.Fault{
		Op:   []string{"list", "look", "kill", "stop", "remove", "update"}[c.draw.IntN(6)],
		Kind: kinds[c.draw.IntN(len(kinds))], Effect: c.draw.IntN(2) == 0, Times: 1 + c.draw.IntN(4),
	}
	if f.Op == "update" && f.Kind == engine.KindRemoving {
		f.Kind = engine.KindServer
	}
	if f.Op != "list" && f.Op != "look" && c.draw.IntN(2) == 0 {
		f.Delay = time.Duration(c.draw.IntN(40)) * time.Second
	}
	return f
}
