package manager

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/e2e/scenario"
)

const (
	// exampleTicks is how many ticks may go by when a step is due: the first plan is only shown.
	exampleTicks = 2
	// exampleEarly is the second that times of the engine are cut to.
	exampleEarly = time.Second
	// exampleReaction is how late a person may react for the row to say anything: the next step is due 12 s after that, or
	// later.
	exampleReaction = 8 * time.Second
	// exampleWait is how long a step is waited for while the manager has no ticks on which it would be late.
	exampleWait = 10 * time.Minute
)

// examplePlay is one run of a table.
type examplePlay struct {
	*example
	*host
	image   string          // the id of all images
	zero    time.Time       // T, were the host not behind
	reacted map[string]bool // the rows whose deeds after T have begun

	// What the journal has, by the clock on the wall as the manager's own has it.
	read                 int         // bytes
	gLessBoot, wallLessG int64       // the clocks, in microseconds
	tick                 time.Time   // the last one
	looks, acting        []time.Time // the ticks, and those on which something may be done
	intents              map[string]exampleStep
	begun                map[exampleStep]time.Time // the tick that decided on a step
	problems             []string

	mu     sync.Mutex // guards all following fields, and the ids of the host
	done   map[exampleStep]span
	late   map[string]bool // rows that somebody has reacted to too late
	behind time.Duration   // the most that a deed was
}

// exampleStep is what happens to a container: a step, or what steps are counted from.
type exampleStep struct{ name, what string }

// span is when something happened, at the earliest and at the latest.
type span struct{ from, to time.Time }

// latest is the span of the later of two.
func (s span) latest(o span) span {
	if o.from.After(s.from) {
		s.from = o.from
	}
	if o.to.After(s.to) {
		s.to = o.to
	}
	return s
}

// run plays the table on an engine of its own.
func (x *example) run(t *testing.T, divided string) {
	engine := scenario.StartEngine(t, scenario.InstalledDocker)
	client := engine.Engine(t)
	if err := scenario.ImportImage(t.Context(), client.Client, programs.Payload, payloadImage); err != nil {
		t.Fatal(err)
	}
	h := scenario.NewSuite(t, client, programs, payloadImage)
	h.Programs.Manager = divided
	p := &examplePlay{
		example: x, host: newHost(h), intents: map[string]exampleStep{}, begun: map[exampleStep]time.Time{},
		done: map[exampleStep]span{}, late: map[string]bool{}, reacted: map[string]bool{},
	}
	p.own = nil
	p.tag()

	policy, err := os.ReadFile(filepath.Join(scenario.Root(t), "policy", "examples", x.file+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	folder := h.NewPolicyFolder(string(policy))
	logs, setting := h.StartLogs()
	m := h.StartManager("", folder.Setting, setting, "GESTOR_LOGS_WAIT=30s", "GESTOR_TEST_DIVISOR="+strconv.Itoa(int(x.by)))
	m.WaitTicks(3)

	// T is two ticks after the approval, which waits for all that comes before it.
	const twoTicks = 2 * time.Second
	p.zero = time.Now().Add(twoTicks - x.from/x.by)
	p.prepare()
	stay := map[string]string{}
	for _, r := range p.rows {
		if r.end() == "" {
			stay[r.name] = p.state(r.name)
		}
	}
	time.Sleep(time.Until(p.zero.Add(-twoTicks)))
	folder.Approve([]byte("{}"))
	t.Logf("T is %s late", time.Until(p.zero.Add(-twoTicks)).Abs())

	p.await(time.Now().Add(twoTicks + x.until/x.by))
	m.Stop()
	p.checkEnd(stay)
	p.checkTold(logs)
}

// tag gives the engine the images of the rows.
func (p *examplePlay) tag() {
	for _, r := range p.rows {
		if strings.Contains(r.image, ":") {
			if err := p.Engine.Client.ImageTag(p.Context(), p.Image, r.image); err != nil {
				p.Fatal(err)
			}
		}
	}
	seen, err := p.Engine.Client.ImageInspect(p.Context(), p.Image)
	if err != nil {
		p.Fatal(err)
	}
	p.image = seen.ID
}

// prepare does what the table has before T: in order to the containers of one label or project, whose ages are compared,
// else beside each other.
func (p *examplePlay) prepare() {
	type scripted struct {
		*exampleRow
		at time.Duration
	}
	scripts := map[string][]scripted{}
	for i := range p.rows {
		r, group := &p.rows[i], p.rows[i].name
		for _, label := range []string{"preview.branch", "agent.project", "lab.student", contract.LabelProject} {
			if value := r.labels[label]; value != "" {
				group = label + "=" + value
				break
			}
		}
		scripts[group] = append(scripts[group], scripted{r, r.created})
		for at := range r.does {
			if at <= 0 && at != r.created {
				scripts[group] = append(scripts[group], scripted{r, at})
			}
		}
	}

	var all sync.WaitGroup
	for _, script := range scripts {
		slices.SortStableFunc(script, func(a, b scripted) int { return int(a.at - b.at) })
		all.Go(func() {
			for _, s := range script {
				p.do(s.exampleRow, s.at, p.zero.Add(s.at/p.by))
			}
		})
	}
	all.Wait()
	for _, r := range p.rows { // in order
		p.all = append(p.all, r.name)
	}
}

// do does to a container what its row has at a time, at a moment.
func (p *examplePlay) do(r *exampleRow, at time.Duration, moment time.Time) {
	time.Sleep(time.Until(moment))
	ctx, api, of := p.Context(), p.Engine.Client, exampleStep{r.name, did(at)}
	p.mu.Lock()
	id := p.ids[r.name]
	p.mu.Unlock()

	from, to, err := time.Now(), time.Time{}, error(nil)
	switch what := r.does[at]; {
	case at == r.created:
		of.what = atBirth
		g := r.guest
		if g.works = p.works; g.image == byImageID {
			g.image = p.image
		}
		id, err = p.make(r.name, g)
		if to = time.Now(); err == nil && what != onlyCreated {
			err = api.ContainerStart(ctx, id, container.StartOptions{})
		}
	case what == doesStop:
		err = api.ContainerStop(ctx, id, container.StopOptions{})
	case what == doesStart:
		err = api.ContainerStart(ctx, id, container.StartOptions{})
	case what == doesToggle:
		err = api.ContainerKill(ctx, id, "USR1")
	case what == doesPause:
		if err := pause(p.Suite, id); err != nil {
			p.Logf("%s runs on, this engine cannot pause: %v", r.name, err)
		}
	}
	if to.IsZero() {
		to = time.Now()
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	p.ids[r.name], p.done[of] = id, span{from, to}
	p.behind = max(p.behind, to.Sub(moment))
	if at > 0 && to.Sub(moment) > exampleReaction {
		p.late[r.name] = true
	} else if err != nil {
		p.Errorf("%s: %s: %v", r.name, of.what, err)
	}
}

// react does what the table has after T, once the step has come that somebody reacts to.
func (p *examplePlay) react(all *sync.WaitGroup) {
	for i := range p.rows {
		r := &p.rows[i]
		step, ok := p.when(r, r.reacts)
		if p.reacted[r.name] || !ok {
			continue
		}
		p.reacted[r.name] = true
		all.Go(func() {
			moment, before := step.to, time.Duration(0)
			for _, at := range slices.Sorted(maps.Keys(r.does)) {
				if at > 0 {
					moment = moment.Add((at - before) / p.by)
					p.do(r, at, moment)
					moment, before = time.Now(), at
				}
			}
		})
	}
}

// unit are the rows that go together: those of a project, else the row alone.
func (p *examplePlay) unit(r *exampleRow) (unit []*exampleRow) {
	project := r.labels[contract.LabelProject]
	for i := range p.rows {
		if o := &p.rows[i]; o.name == r.name || project != "" && o.labels[contract.LabelProject] == project {
			unit = append(unit, o)
		}
	}
	return unit
}

// when is when the last of a row's unit had what steps are counted from, not ok before.
func (p *examplePlay) when(r *exampleRow, what string) (at span, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if what == atT {
		at, ok = p.done[exampleStep{what: atT}]
		return at, ok
	}
	for _, o := range p.unit(r) {
		one, is := p.done[exampleStep{o.name, what}]
		if _, comes := o.steps[what]; comes && !is {
			return at, false
		}
		at, ok = at.latest(one), ok || is
	}
	return at, ok
}

// follow takes over what the journal has that was not read before.
func (p *examplePlay) follow() {
	lines, size := suite{p.Suite}.entriesFrom(p.read)
	p.read = size
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range lines {
		if e.GLessBootUS != nil {
			p.gLessBoot = *e.GLessBootUS
		}
		if e.WallLessGUS != nil {
			p.wallLessG = *e.WallLessGUS
		}
		wall := func(gUS int64) time.Time { return time.UnixMicro(gUS + p.wallLessG) }

		switch {
		case e.Facts != nil:
			p.tick = wall(e.BootUS + p.gLessBoot)
			p.looks = append(p.looks, p.tick)
		case e.Verdict != nil && len(e.Gates) == 0 && e.Held == "":
			p.acting = slices.Compact(append(p.acting, p.tick)) // there may be a second look
		case e.Approve != nil:
			p.done[exampleStep{what: atT}] = span{e.At, e.At}

		case e.Intent != nil && !e.Carried:
			of := exampleStep{e.Intent.Name, e.Intent.Action}
			if n := e.Intent.Notice; n != nil && n.Guard != "" {
				of.what += " " + n.Guard
			}
			if _, twice := p.begun[of]; twice {
				p.problems = append(p.problems, fmt.Sprintf("%s: %s twice", of.name, of.what))
			}
			p.intents[e.Intent.ActionID], p.begun[of] = of, wall(e.Intent.GUS)
		case e.Outcome != nil:
			of, at := p.intents[e.Outcome.ActionID], wall(e.Outcome.GUS)
			switch outcome := e.Outcome.Outcome; outcome {
			case contract.OutcomeUnknown: // that is found out
			case contract.OutcomeDone, contract.OutcomeAlreadyStopped:
				p.done[of] = span{at, at}
			default:
				p.problems = append(p.problems, fmt.Sprintf("%s: %s: %s", of.name, of.what, outcome))
			}
		}
	}
}

// await follows the journal until the end of the table, and until no step is still to come, or too late.
func (p *examplePlay) await(end time.Time) {
	var reactions sync.WaitGroup
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for now := range ticker.C {
		p.follow()
		p.react(&reactions)
		wrong, waits, _ := p.judge()
		if now.After(end) && (len(waits) == 0 || len(wrong)+len(p.problems) > 0 || now.After(end.Add(exampleWait))) {
			break
		}
	}
	reactions.Wait()

	wrong, waits, most := p.judge()
	for _, problem := range append(p.problems, wrong...) {
		p.Error(problem)
	}
	if len(waits) > 0 {
		p.Errorf("these steps have not ended: %v", waits)
	}
	gap := time.Duration(0)
	for i, tick := range p.looks[1:] {
		gap = max(gap, tick.Sub(p.looks[i]))
	}
	p.Logf("the host: a deed was up to %s late, ticks of 1 s were up to %s apart; a step came up to %d ticks after it was due; not judged: %v",
		p.behind, gap, most, p.late)
}

// isLate says that somebody reacted too late for the row to say anything.
func (p *examplePlay) isLate(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.late[name]
}

// judge holds what has happened so far against the rows: what is wrong, which steps have not ended, and the most ticks
// that one was late.
func (p *examplePlay) judge() (wrong []string, waits []exampleStep, most int) {
	say := func(r *exampleRow, format string, a ...any) {
		wrong = append(wrong, r.name+": "+fmt.Sprintf(format, a...))
	}
	of := map[exampleStep]bool{}
	for i := range p.rows {
		r := &p.rows[i]
		for what, due := range r.steps {
			step := exampleStep{r.name, what}
			of[step] = true
			at, ok := p.dueAt(r, due)
			begun, is := p.begun[step]
			_, ended := p.when(r, what)
			passed := p.ticksFrom(at.to, begun)
			late := p.isLate(r.name)
			if !ended && !late {
				waits = append(waits, step)
			}
			if is && ok {
				most = max(most, passed)
			}

			switch {
			case late:
			case is && (!ok || begun.Before(at.from.Add(-exampleEarly))):
				say(r, "%s at %s, due from %s on (%s after %s): too early", what, begun, at.from, due.after, due.of)
			case ok && passed > exampleTicks:
				say(r, "%s: %t at %s, due at %s (%s after %s), %d ticks before", what, is, begun, at.to, due.after, due.of, passed)
			}
		}
	}
	for step, begun := range p.begun {
		if !of[step] && !p.isLate(step.name) {
			wrong = append(wrong, fmt.Sprintf("%s: %s at %s, which the table does not have", step.name, step.what, begun))
		}
	}
	return wrong, waits, most
}

// dueAt is when a step is due, not before T; it is not ok before that is known. What happens the manager reads on its next
// tick.
func (p *examplePlay) dueAt(r *exampleRow, d due) (at span, ok bool) {
	since, ok := p.when(r, d.of)
	approved, is := p.when(r, atT)
	if !ok || !is {
		return at, false
	}
	if i := slices.IndexFunc(p.looks, func(tick time.Time) bool { return tick.After(since.to) }); i >= 0 {
		since.to = p.looks[i]
	}
	at = span{since.from.Add(d.after / p.by), since.to.Add(d.after / p.by)}
	return at.latest(approved), true
}

// ticksFrom counts the ticks on which something could be done from a moment up to another, zero for now.
func (p *examplePlay) ticksFrom(from, to time.Time) (n int) {
	for _, tick := range p.acting {
		if !tick.Before(from) && (to.IsZero() || tick.Before(to)) {
			n++
		}
	}
	return n
}

// end is the state that the row's container is in at the end, "" where nobody is to change it.
func (r *exampleRow) end() string {
	_, removed := r.steps["remove"]
	_, stopped := r.steps["stop"]
	switch {
	case removed:
		return gone
	case stopped && r.reacts == "stop":
		return "running"
	case stopped:
		return "exited"
	}
	return ""
}

// checkEnd holds what the engine has in the end against the rows, whatever the journal says.
func (p *examplePlay) checkEnd(stay map[string]string) {
	p.unchanged("in the end", stay)
	for _, r := range p.rows {
		state, _, _ := strings.Cut(p.state(r.name), " ")
		if want := r.end(); want != "" && state != want && !p.late[r.name] {
			p.Errorf("%s is %s in the end, want %s", r.name, state, want)
		}
	}
}

// checkTold holds the notices that the log service has against those of the journal.
func (p *examplePlay) checkTold(logs scenario.Logs) {
	told, want := map[exampleStep]int{}, map[exampleStep]int{}
	for step := range p.begun {
		if strings.HasPrefix(step.what, contract.ActionWarn) {
			want[step] = 1
		}
	}
	for _, r := range logs.MustRecords(p.TB, contract.KindSystem) {
		b, ok := r.Body.(contract.SystemBody)
		if !ok || b.Event != "warn" {
			continue
		}
		what := contract.ActionWarn
		if guard, _ := b.Details["guard"].(string); guard != "" {
			what += " " + guard
		}
		names, _ := b.Details["names"].([]any)
		if name, ok := b.Details["name"]; ok {
			names = []any{name}
		}
		for _, name := range names {
			told[exampleStep{fmt.Sprint(name), what}]++
		}
	}
	if diff := cmp.Diff(want, told, cmp.AllowUnexported(exampleStep{})); diff != "" {
		p.Errorf("what is told (-journal +log service):\n%s", diff)
	}
}

// What a soak of a quarter of an hour rests on: who is late, early, missing, or somebody else is found out.
func TestExamplesAreJudged(t *testing.T) {
	second := func(n float64) time.Time { return time.Unix(1000, 0).Add(time.Duration(n * float64(time.Second))) }
	for name, c := range map[string]struct {
		begun map[exampleStep]time.Time
		want  string // of what is wrong
	}{
		"in time":              {map[exampleStep]time.Time{{"a", "remove"}: second(31)}, ""},
		"late with the ticks":  {map[exampleStep]time.Time{{"a", "remove"}: second(45)}, ""},
		"late":                 {map[exampleStep]time.Time{{"a", "remove"}: second(47)}, "3 ticks before"},
		"early":                {map[exampleStep]time.Time{{"a", "remove"}: second(28)}, "too early"},
		"missing":              {nil, "a: remove: false"},
		"on another container": {map[exampleStep]time.Time{{"a", "remove"}: second(31), {"b", "remove"}: second(31)}, "b: remove at"},
		"another step":         {map[exampleStep]time.Time{{"a", "remove"}: second(31), {"a", "stop"}: second(31)}, "a: stop at"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &examplePlay{
				example: &example{by: 60, rows: []exampleRow{
					{name: "a", created: -time.Hour, steps: fate{"remove": {30 * time.Minute, atBirth}}},
					{name: "b", created: -time.Hour},
				}},
				begun: c.begun,
				done: map[exampleStep]span{
					{"", atT}: {second(-10), second(-10)}, {"a", atBirth}: {second(0), second(0.5)}, {"b", atBirth}: {second(0), second(0)},
				},
			}
			for _, n := range []float64{0, 1, 2, 31, 45, 46, 47, 48, 49} { // none for a while: the host is busy
				p.looks, p.acting = append(p.looks, second(n)), append(p.acting, second(n))
			}

			wrong, _, _ := p.judge()
			if got := strings.Join(wrong, "\n"); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
