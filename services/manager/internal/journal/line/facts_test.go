package line

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// drawnFacts changes facts at random: each call is another tick. What is unknown may carry a value, which must not count.
func drawnFacts(rng *rand.Rand, f rules.Facts) rules.Facts {
	next := rules.Facts{}
	fill(reflect.ValueOf(&next).Elem(), rng)
	next.Containers = nil
	if rng.IntN(3) > 0 {
		next = f // the host stays as it is, but for the clocks
	}
	next.Tick, next.BootUS, next.GUS = f.Tick+1+rng.Uint64N(2), f.BootUS+rng.Uint64N(3)*10_000_000, f.GUS+rng.Int64N(20_000_000)

	next.Containers = nil
	for _, c := range f.Containers {
		switch rng.IntN(12) {
		case 0: // gone
			continue
		case 1: // another identity with the same contents
			same := *c.Identity
			c.Identity = &same
		case 2:
			c = drawnContainer(rng, c.ID)
		case 7:
			c.Member = nil
		case 8, 9, 10:
			if c.Member != nil {
				member := *c.Member
				member.AgeUS, member.SeenTicks = member.AgeUS+next.IntervalUS, member.SeenTicks+1
				member.OOMKills, member.RAMKB = nil, rng.Uint64N(2)
				c.Member = &member
			}
		case 3:
			c.CPUTotalUS.Value += c.CPUUS.Value
		case 4, 5:
			c.CPUUS = policy2.Fact[uint64]{Value: rng.Uint64N(3), Known: rng.IntN(4) > 0}
		case 6:
			c.State, c.NetBootUS = "exited", next.BootUS-rng.Uint64N(3)
		}
		next.Containers = append(next.Containers, c)
	}
	for range rng.IntN(3) {
		next.Containers = append(next.Containers, drawnContainer(rng, fmt.Sprintf("%04x", rng.IntN(1<<16))))
	}
	if rng.IntN(2) == 0 {
		rng.Shuffle(len(next.Containers), func(i, k int) {
			next.Containers[i], next.Containers[k] = next.Containers[k], next.Containers[i]
		})
	}
	return next
}

func drawnContainer(rng *rand.Rand, id string) rules.Container {
	c := rules.Container{Identity: &policy2.Identity{}}
	fill(reflect.ValueOf(&c).Elem(), rng)
	if c.Identity == nil {
		c.Identity = &policy2.Identity{}
	}
	c.ID = id
	if c.Member != nil && rng.IntN(2) == 0 {
		c.Member.ID = id
	}
	c.Labels = map[string]string{}
	for _, key := range []string{"a", "https_proxy", "gestor.class", "com.docker.compose.project", "größe"} {
		if rng.IntN(2) == 0 {
			c.Labels[key] = fmt.Sprint(rng.IntN(3))
		}
	}
	return c
}

// asWritten is what a reader can know of facts: in order, without what is unknown, and without the labels' values that are
// withheld.
func asWritten(l Labels, f rules.Facts) rules.Facts {
	f.Containers = slices.Clone(NewTable().sorted(f.Containers))
	for i := range f.Containers {
		c := &f.Containers[i]
		identity := *c.Identity
		identity.Labels, identity.Withheld = map[string]string{}, nil
		for key, value := range c.Labels {
			if !l.Writes(key) {
				value = ""
				identity.Withheld = append(identity.Withheld, key)
			}
			identity.Labels[key] = value
		}
		slices.Sort(identity.Withheld)
		c.Identity = &identity
		zeroUnknown(reflect.ValueOf(&identity).Elem())
		zeroUnknown(reflect.ValueOf(c).Elem())
	}
	zeroUnknown(reflect.ValueOf(&f).Elem())
	return f
}

// zeroUnknown gives every unknown fact among the fields the zero value, and every list of nothing.
func zeroUnknown(v reflect.Value) {
	for i := range v.NumField() {
		field := v.Field(i)
		switch {
		case field.Kind() == reflect.Struct:
			if known := field.FieldByName("Known"); known.IsValid() && !known.Bool() {
				field.SetZero()
			}
			zeroUnknown(field)
		case (field.Kind() == reflect.Slice || field.Kind() == reflect.Map) && field.Len() == 0:
			field.SetZero()
		}
	}
}

// TestFactsAreReadAsWritten: whatever changes, a reader has what the writer had, and goes on where the writer ended.
func TestFactsAreReadAsWritten(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		labels := LabelsOf(&policy2.Policy{Own: []policy2.Selector{{Label: &policy2.Label{Key: "a", Any: true}}}})
		writer, reader := NewTable(), NewTable()
		writer.SetLabels(labels)
		reader.SetLabels(labels)

		var f rules.Facts
		for range rapid.IntRange(1, 12).Draw(rt, "ticks") {
			f = drawnFacts(rng, f)
			text := string(writer.AppendFacts([]byte("{"), &f, 1)) + "}"
			if rng.IntN(8) == 0 { // another segment
				reader.Reset()
				text = string(writer.AppendAll([]byte("{"))) + "}"
			}
			if err := reader.ReadFacts([]byte(text)); err != nil {
				rt.Fatalf("%v\n%s", err, text)
			}

			want := asWritten(labels, f)
			if diff := cmp.Diff(want, asWritten(labels, reader.Facts())); diff != "" {
				rt.Fatalf("%s\n%s", diff, text)
			}
			if diff := cmp.Diff(want, asWritten(labels, writer.Facts())); diff != "" {
				rt.Fatal("the writer took over something else: ", diff)
			}
			if rng.IntN(4) == 0 { // the manager starts again
				writer, reader = reader, writer
			}
		}
	})
}

// TestStillContainersHaveNoRow: who does as it did before costs nothing, and what is unknown is told from what is 0.
func TestStillContainersHaveNoRow(t *testing.T) {
	table := NewTable()
	f := rules.Facts{Tick: 1, BootUS: 10_000_000, GUS: 50_000_000, WallUS: 50_000_001, Containers: []rules.Container{{
		Identity: &policy2.Identity{ID: "c"}, CPUUS: policy2.Known[uint64](7), CPUTotalUS: policy2.Known[uint64](100),
		RAMKB: policy2.Known[uint64](0), NetBytes: policy2.Known[uint64](0), NetBootUS: 9_999_000,
	}}}
	pass := func() {
		f.Tick, f.Sequence = f.Tick+1, f.Sequence+1
		f.BootUS, f.GUS, f.WallUS = f.BootUS+10_000_000, f.GUS+10_000_000, f.WallUS+10_000_000
		f.Containers = slices.Clone(f.Containers)
		f.Containers[0].CPUTotalUS.Value += 7
		f.Containers[0].NetBootUS += 10_000_000
	}
	write := func() string { return string(table.AppendFacts(nil, &f, 1)) }
	write()

	pass()
	want := `"facts":2,"sequence":1,"boot_us":20000000`
	if got := write(); got != want {
		t.Errorf("a tick on which nothing happened:\n%s\n%s", got, want)
	}

	pass()
	f.Containers[0].RAMKB = policy2.Fact[uint64]{}
	f.Containers[0].CPUUS, f.Containers[0].CPUTotalUS = policy2.Known[uint64](0), policy2.Known[uint64](107)
	want = `"facts":3,"sequence":2,"boot_us":30000000,"rows":[{"n":0,"cpu_us":0,"ram_kb":null}]`
	if got := write(); got != want {
		t.Errorf("a tick on which it did nothing and its memory was not known:\n%s\n%s", got, want)
	}

	f.Containers = nil
	want = `"facts":3,"look":2,"sequence":2,"boot_us":30000000,"exits":[0]`
	if got := string(table.AppendFacts(nil, &f, 2)); got != want {
		t.Errorf("the second look, without it:\n%s\n%s", got, want)
	}
}

func TestLabelValues(t *testing.T) {
	p := policy2.Policy{
		Own:     []policy2.Selector{{Label: &policy2.Label{Key: "own"}}},
		Protect: []policy2.Selector{{Labels: []policy2.Label{{Key: "p1"}, {Key: "p2"}}}},
		Rules: []policy2.Rule{
			{Match: []policy2.Selector{{Label: &policy2.Label{Key: "match"}}}, When: policy2.Conditions{Expired: "ttl"}},
			{Keep: policy2.Keep{Per: policy2.Per{By: policy2.ByLabel, Label: "per"}}, RestWhen: policy2.Conditions{Expired: "until"}},
		},
	}
	labels := LabelsOf(&p)
	for _, key := range []string{
		"own", "p1", "p2", "match", "ttl", "per", "until",
		"com.docker.compose.depends_on", "com.docker.swarm.task.id", "io.kubernetes.pod.uid", "com.hashicorp.nomad.alloc_id",
		"PODMAN_SYSTEMD_UNIT", "io.podman.compose.config-hash", "org.testcontainers.session-id", "docker-mcp-name", "gestor.class",
	} {
		if !labels.Writes(key) {
			t.Errorf("the value of %s is withheld", key)
		}
	}
	for _, key := range []string{"https_proxy", "ow", "owner", "org.opencontainers.image.title", ""} {
		if labels.Writes(key) && key != "" {
			t.Errorf("the value of %s is written", key)
		}
	}

	table := NewTable()
	table.SetLabels(labels)
	f := rules.Facts{Containers: []rules.Container{{Identity: &policy2.Identity{
		ID: "c", Labels: map[string]string{"https_proxy": "user:password", "own": ""},
	}}}}
	text := string(table.AppendFacts([]byte("{"), &f, 1)) + "}"
	if err := table.readAgain(text); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"https_proxy"}, table.Withheld("c")); diff != "" {
		t.Error(text, diff)
	}
}

// readAgain is a reader's table of a segment with this line.
func (t *Table) readAgain(text string) error {
	t.Reset()
	return t.ReadFacts([]byte(text))
}

func TestSeal(t *testing.T) {
	line := Seal([]byte(`{"v":2,"seq":1,"facts":310`), 0)
	text := line[:len(line)-1]
	if !Sealed(text) || !json.Valid(text) {
		t.Fatalf("%s", line)
	}
	for i := range text {
		for bit := range 8 {
			text[i] ^= 1 << bit
			if Sealed(text) {
				t.Errorf("bit %d of byte %d does not show", bit, i)
			}
			text[i] ^= 1 << bit
		}
	}
	for length := range len(text) {
		if Sealed(text[:length]) {
			t.Errorf("%d bytes of it are taken for all", length)
		}
	}
}

// TestLinesThatDoNotFollow are refused, whatever they say.
func TestLinesThatDoNotFollow(t *testing.T) {
	const first = `{"facts":1,"sequence":1,"boot_us":1,"births":[{"n":0,"id":"a"},{"n":1,"id":"b"}]}`
	for _, text := range []string{
		`{"facts":2,"sequence":1,"boot_us":1,"rows":[{"n":2,"cpu_us":1}]}`,
		`{"facts":2,"sequence":1,"boot_us":1,"rows":[{"n":-1}]}`,
		`{"facts":2,"sequence":1,"boot_us":1,"rows":[{"n":1},{"n":1}]}`,
		`{"facts":2,"sequence":1,"boot_us":1,"exits":[0,0]}`,
		`{"facts":2,"sequence":1,"boot_us":1,"exits":[7]}`,
		`{"facts":2,"sequence":1,"boot_us":1,"births":[{"n":1,"id":"c"}]}`,
		`{"facts":2,"sequence":1,"boot_us":1,"births":[{"n":2,"id":"a"}]}`,
	} {
		table := NewTable()
		if err := table.ReadFacts([]byte(first)); err != nil {
			t.Fatal(err)
		}
		if err := table.ReadFacts([]byte(text)); !errors.Is(err, ErrNotInOrder) {
			t.Errorf("%s: %v", text, err)
		}
	}

	for _, text := range []string{
		`{}`, `[]`, `{"facts":2}`, `{"facts":2,"sequence":1,"boot_us":"1"}`, `{"facts":2,"sequence":1,"boot_us":1,"rows":{}}`,
		`{"facts":2,"sequence":1,"boot_us":1,"rows":[{"cpu_us":1}]}`, `{"facts":2,"sequence":1,"boot_us":1,"births":[{"n":2}]}`,
		`{"facts":2,"sequence":1,"boot_us":1,"rows":[{"n":1,"cpu_us":"many"}]}`,
		`{"facts":2,"sequence":1,"boot_us":1,"rows":[{"n":1,"labels":{"a":1}}]}`,
	} {
		if err := NewTable().readAgain(text); err == nil {
			t.Errorf("%s is taken for facts", text)
		}
	}
}
