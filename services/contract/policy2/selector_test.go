package policy2_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

const (
	yes     = policy2.True
	no      = policy2.False
	unknown = policy2.Unknown
)

func hasLabel(key string) *policy2.Label { return &policy2.Label{Key: key, Any: true} }

func labelIs(key, glob string) *policy2.Label { return &policy2.Label{Key: key, Value: glob} }

// shop is a container of which everything is known.
func shop(edit ...func(*policy2.Identity)) *policy2.Identity {
	id := &policy2.Identity{
		ID: "1", Name: "shop-web-1", Image: "acme/web:3",
		Labels: map[string]string{
			"tier": "web", "owner": "ana", contract.LabelClass: "batch",
			contract.LabelProject: "shop", contract.LabelConfigHash: "c0ffee",
		},
		Networks: policy2.Known([]string{"bridge", "shop_default"}),
		Socket:   policy2.Known(false),
	}
	for _, e := range edit {
		e(id)
	}
	return id
}

func without(label string) func(*policy2.Identity) {
	return func(id *policy2.Identity) { delete(id.Labels, label) }
}

func with(label, value string) func(*policy2.Identity) {
	return func(id *policy2.Identity) { id.Labels[label] = value }
}

// Of each row of the table of selectors: what it matches in a rule, whom it owns, and whom it protects.
func TestSelector(t *testing.T) {
	strangeNetworks := func(id *policy2.Identity) { id.Networks = policy2.Fact[[]string]{} }
	strangeImage := func(id *policy2.Identity) { id.Image = "sha256:00" }
	unnamed := func(id *policy2.Identity) { id.Name = "" }
	renamed := func(id *policy2.Identity) { id.Name, id.PastNames = "new", []string{"oldest", "shop-web-1"} }
	socket := func(id *policy2.Identity) { id.Socket.Value = true }
	maybeSocket := func(id *policy2.Identity) { id.Socket.Known = false }
	noClass, noHash := without(contract.LabelClass), without(contract.LabelConfigHash)
	podman := with(contract.LabelPodmanConfigHash, "1")
	type selector = policy2.Selector
	labels := func(l ...*policy2.Label) selector { return selector{Labels: []policy2.Label{*l[0], *l[1]}} }
	classes := func(c ...contract.Class) selector { return selector{Class: c} }
	webByAll := selector{Label: hasLabel("tier"), Name: []string{"shop*"}, Image: []string{"acme/web"}}
	byTwo := func(name string) selector { return selector{Name: []string{name}, Image: []string{"acme/web"}} }
	named := func(globs ...string) selector { return selector{Name: globs} }
	projects := func(globs ...string) selector { return selector{Project: globs} }
	networks := func(globs ...string) selector { return selector{Network: globs} }
	images := func(globs ...string) selector { return selector{Image: globs} }

	for name, test := range map[string]struct {
		s              policy2.Selector
		id             *policy2.Identity
		matches        policy2.Truth
		owns, protects bool
	}{
		"label is there":                {selector{Label: hasLabel("tier")}, shop(), yes, true, true},
		"label is not there":            {selector{Label: hasLabel("tie")}, shop(), no, false, false},
		"label is empty":                {selector{Label: hasLabel("tier")}, shop(with("tier", "")), yes, true, true},
		"label has the value":           {selector{Label: labelIs("tier", "w?b")}, shop(), yes, true, true},
		"label has another value":       {selector{Label: labelIs("tier", "db")}, shop(), no, false, false},
		"label must be empty":           {selector{Label: labelIs("tier", "")}, shop(), no, false, false},
		"labels are all there":          {labels(hasLabel("tier"), labelIs("owner", "ana")), shop(), yes, true, true},
		"one of the labels is not":      {labels(hasLabel("tier"), labelIs("owner", "bob")), shop(), no, false, false},
		"network":                       {networks("other", "shop_*"), shop(), yes, true, true},
		"another network":               {networks("host"), shop(), no, false, false},
		"networks are not known":        {networks("host"), shop(strangeNetworks), unknown, false, true},
		"image":                         {images("other", "acme/*"), shop(), yes, true, true},
		"image, last part":              {images("web"), shop(), no, false, true},
		"image is only an id":           {images("web"), shop(strangeImage), unknown, false, true},
		"name":                          {named("a", "shop-*"), shop(), yes, true, true},
		"another name":                  {named("shop"), shop(), no, false, false},
		"name before":                   {named("shop-*"), shop(renamed), no, false, true},
		"name of now":                   {named("new"), shop(renamed), yes, true, true},
		"name is not known":             {named("shop-*"), shop(unnamed), unknown, false, true},
		"project":                       {projects("s*"), shop(), yes, true, true},
		"project without hash":          {projects("s*"), shop(noHash), no, false, true},
		"project of podman-compose":     {projects("s*"), shop(noHash, podman), yes, true, true},
		"another project":               {projects("t*"), shop(), no, false, false},
		"no project":                    {projects("*"), shop(without(contract.LabelProject)), no, false, false},
		"class":                         {classes("low", "batch"), shop(), yes, true, true},
		"another class":                 {classes("low"), shop(), no, false, false},
		"class of the image":            {classes("low"), shop(noClass), yes, true, true},
		"no class":                      {classes("low"), shop(with(contract.LabelClass, "?")), no, false, false},
		"class by an id":                {classes("high"), shop(noClass, strangeImage), unknown, false, true},
		"all keys match":                {webByAll, shop(), yes, true, true},
		"one of the keys does not":      {byTwo("x"), shop(), no, false, false},
		"one is unknown, one does not":  {byTwo("x"), shop(strangeImage), no, false, false},
		"one is unknown, others match":  {byTwo("shop*"), shop(strangeImage), unknown, false, true},
		"no key, of no valid document":  {selector{}, shop(), unknown, false, true},
		"socket, and it mounts none":    {selector{Socket: true}, shop(), no, false, false},
		"socket, and it is not known":   {selector{Socket: true}, shop(maybeSocket), unknown, false, true},
		"socket, and it mounts one":     {selector{Socket: true}, shop(socket), yes, true, true},
		"another key, and it has one":   {named("shop*"), shop(socket), yes, false, true},
		"another key, and it may":       {named("shop*"), shop(maybeSocket), yes, false, true},
		"a key beside socket":           {selector{Name: []string{"shop*"}, Socket: true}, shop(socket), yes, true, true},
		"a key beside socket, no match": {selector{Name: []string{"x"}, Socket: true}, shop(socket), no, false, false},
	} {
		p := policy2.Policy{
			Own: []policy2.Selector{test.s}, Protect: []policy2.Selector{test.s},
			Images: map[string]contract.Class{"acme/web": "low"},
		}
		if got := p.MatchesAny(p.Own, test.id); got != test.matches {
			t.Errorf("%s: matches %d, want %d", name, got, test.matches)
		}
		if _, got := p.Owns(test.id, policy2.Suite{}); got != test.owns {
			t.Errorf("%s: owns %t", name, got)
		}
		if _, got := p.Protects(test.id, policy2.Suite{}); got != test.protects {
			t.Errorf("%s: protects %t", name, got)
		}
	}
}

func TestMatchesAny(t *testing.T) {
	is := func(glob string) policy2.Selector { return policy2.Selector{Name: []string{glob}} }
	image := imageSelector("redis")
	p, id := policy2.Policy{}, &policy2.Identity{Name: "web"}
	for name, test := range map[string]struct {
		list []policy2.Selector
		want policy2.Truth
	}{
		"none is written":             {nil, yes},
		"an empty list":               {[]policy2.Selector{}, no},
		"one of them":                 {[]policy2.Selector{is("db"), is("web")}, yes},
		"none of them":                {[]policy2.Selector{is("db"), is("cache")}, no},
		"one may":                     {[]policy2.Selector{is("db"), image}, unknown},
		"one may, and a later one is": {[]policy2.Selector{image, is("web")}, yes},
	} {
		if got := p.MatchesAny(test.list, id); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}

// Whatever is written Gestor's own parts are nobody's, and each is protected.
func TestPartsOfGestorAreNeverOwn(t *testing.T) {
	suite := policy2.Suite{Name: "gestor", IDs: []string{"77", "88"}, Project: "shop"}
	for name, test := range map[string]struct {
		id   *policy2.Identity
		want string
	}{
		"the manager":                        {shop(func(id *policy2.Identity) { id.ID, id.Labels = "88", nil }), policy2.BuiltInSuite},
		"of the suite's project":             {shop(), policy2.BuiltInProject},
		"a role in another suite":            {shop(with(contract.LabelProject, "x"), with(contract.LabelRole, "logs")), policy2.BuiltInRole},
		"a role without value":               {shop(with(contract.LabelProject, "x"), with(contract.LabelRole, "")), policy2.BuiltInRole},
		"of an image that the project built": {shop(without(contract.LabelConfigHash)), ""},
		"of another project":                 {shop(with(contract.LabelProject, "x")), ""},
		"of no project":                      {shop(without(contract.LabelProject)), ""},
	} {
		p := policy2.Policy{Own: []policy2.Selector{{Name: []string{"shop-web-1"}}}}
		if _, own := p.Owns(test.id, suite); own != (test.want == "") {
			t.Errorf("%s: own %t", name, own)
		}
		by, protected := p.Protects(test.id, suite)
		if protected != (test.want != "") || by.BuiltIn != test.want || protected && by.Selector != -1 {
			t.Errorf("%s: protected %t by %+v, want %q", name, protected, by, test.want)
		}
	}
}

func TestOwnByGestorsLabelAsksForTheSuite(t *testing.T) {
	managed := func(suite string) *policy2.Identity {
		id := shop(with(contract.LabelManaged, "true"))
		if suite != "" {
			id.Labels[contract.LabelSuite] = suite
		}
		return id
	}

	for name, test := range map[string]struct {
		own   policy2.Selector
		suite string // of the manager
		id    *policy2.Identity
		want  bool
	}{
		"of this suite":           {policy2.Selector{Label: labelIs(contract.LabelManaged, "true")}, "a", managed("a"), true},
		"of another":              {policy2.Selector{Label: labelIs(contract.LabelManaged, "true")}, "a", managed("b"), false},
		"of none":                 {policy2.Selector{Label: labelIs(contract.LabelManaged, "true")}, "a", managed(""), false},
		"any suite":               {policy2.Selector{Label: labelIs(contract.LabelManaged, "true")}, "", managed("b"), true},
		"whatever the label says": {policy2.Selector{Label: hasLabel(contract.LabelManaged)}, "a", managed("b"), false},
		"among labels": {
			policy2.Selector{Labels: []policy2.Label{*hasLabel("tier"), *labelIs(contract.LabelManaged, "true")}}, "a", managed("b"), false,
		},
		"by another key": {policy2.Selector{Label: hasLabel("tier")}, "a", managed("b"), true},
	} {
		p := policy2.Policy{Own: []policy2.Selector{test.own}}
		if _, got := p.Owns(test.id, policy2.Suite{Name: test.suite}); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestTheFirstSelectorIsNamed(t *testing.T) {
	list := []policy2.Selector{{Name: []string{"x"}}, {Label: hasLabel("tier")}, {Name: []string{"shop*"}}}
	p := policy2.Policy{Own: list, Protect: list}
	if i, ok := p.Owns(shop(), policy2.Suite{}); !ok || i != 1 {
		t.Errorf("owned by %d, %t", i, ok)
	}
	if by, ok := p.Protects(shop(), policy2.Suite{}); !ok || by != (policy2.Protection{Selector: 1}) {
		t.Errorf("protected by %+v, %t", by, ok)
	}
}

func TestIsClass(t *testing.T) {
	for word, want := range map[string]bool{
		"low": true, "batch-2": true, "": false, "Low": false, "a_b": false, "a b": false, "á": false,
		"0123456789abcdef0123456789abcdef": true, "0123456789abcdef0123456789abcdefa": false,
	} {
		if got := policy2.IsClass(word); got != want {
			t.Errorf("%q: %t", word, got)
		}
	}
}

// drawn draws an identity and selectors from few words, so that they often meet.
type drawn struct{ *rand.Rand }

func (d drawn) pick(words ...string) string { return words[d.IntN(len(words))] }

func (d drawn) identity() *policy2.Identity {
	id := &policy2.Identity{ID: d.pick("1", "2"), Name: d.pick("", "web", "db"), Image: d.pick("", "sha256:1", "redis:7", "acme/redis")}
	if d.IntN(2) == 0 {
		id.PastNames = []string{d.pick("web", "db", "old")}
	}

	id.Labels = map[string]string{}
	for _, key := range []string{
		"tier", contract.LabelManaged, contract.LabelClass, contract.LabelRole, contract.LabelProject, contract.LabelConfigHash,
	} {
		if d.IntN(3) == 0 {
			id.Labels[key] = d.pick("true", "low", "web")
		}
	}

	if d.IntN(2) == 0 {
		id.Networks = policy2.Known([]string{d.pick("web", "host")})
	}
	if d.IntN(3) > 0 {
		id.Socket = policy2.Known(d.IntN(4) == 0)
	}
	return id
}

func (d drawn) selector() policy2.Selector {
	globs := []string{d.pick("w*", "d?", "redis", "redis:7", "*")}
	switch s := (policy2.Selector{}); d.IntN(8) {
	case 0:
		s.Label = labelIs(d.pick("tier", contract.LabelManaged), d.pick("t*", "low"))
		return s
	case 1:
		s.Network = globs
		return s
	case 2:
		s.Image = globs
		return s
	case 3:
		s.Name = globs
		return s
	case 4:
		s.Project = globs
		return s
	case 5:
		s.Class = []contract.Class{contract.Class(d.pick("low", "web"))}
		return s
	case 6:
		s.Name, s.Image = globs, []string{"redis*"}
		return s
	default:
		s.Label, s.Socket = hasLabel("tier"), true
		return s
	}
}

func (d drawn) policy() policy2.Policy {
	p := policy2.Policy{Images: map[string]contract.Class{"redis": "low"}}
	for range d.IntN(3) {
		p.Own = append(p.Own, d.selector())
	}
	for range d.IntN(3) {
		p.Protect = append(p.Protect, d.selector())
	}
	return p
}

// learned is what the identity might be, once what is unknown is known: every way to know one thing more.
func (d drawn) learned(id *policy2.Identity) []*policy2.Identity {
	var all []*policy2.Identity
	add := func(edit func(*policy2.Identity)) {
		next := *id
		next.Labels = maps.Clone(id.Labels)
		edit(&next)
		all = append(all, &next)
	}

	if id.Name == "" {
		add(func(id *policy2.Identity) { id.Name = d.pick("web", "db", "x") })
	}
	if policy2.IsImageID(id.Image) {
		add(func(id *policy2.Identity) { id.Image = d.pick("redis:7", "acme/redis", "x") })
	}
	if !id.Networks.Known {
		add(func(id *policy2.Identity) { id.Networks = policy2.Known([]string{d.pick("web", "host")}) })
	}
	if !id.Socket.Known {
		add(func(id *policy2.Identity) { id.Socket = policy2.Known(d.IntN(2) == 0) })
	}
	return all
}

// What is owned stays owned, and what is not protected stays unprotected, whatever comes out of what was unknown: the answer
// never rested on it.
func TestUnknownsErrOnTheirSide(t *testing.T) {
	owned, unprotected, told := 0, 0, 0
	for seed := range uint64(20_000) {
		d := drawn{rand.New(rand.NewPCG(seed, 1))}
		p, id, suite := d.policy(), d.identity(), policy2.Suite{Project: d.pick("", "web")}
		_, own := p.Owns(id, suite)
		_, protected := p.Protects(id, suite)

		for _, known := range d.learned(id) {
			told++
			if own {
				owned++
				if _, still := p.Owns(known, suite); !still {
					t.Fatalf("seed %d: owned without knowing that it is %+v", seed, known)
				}
			}
			if !protected {
				unprotected++
				if by, now := p.Protects(known, suite); now {
					t.Fatalf("seed %d: not protected without knowing that it is %+v, which %+v protects", seed, known, by)
				}
			}
		}
	}
	if owned < told/50 || unprotected < told/50 {
		t.Errorf("of %d only %d were owned and %d not protected", told, owned, unprotected)
	}
}

func TestAddingAProtectionNeverUnprotects(t *testing.T) {
	for seed := range uint64(20_000) {
		d := drawn{rand.New(rand.NewPCG(seed, 2))}
		p, id := d.policy(), d.identity()
		_, before := p.Protects(id, policy2.Suite{})
		_, ownBefore := p.Owns(id, policy2.Suite{})

		p.Protect = slices.Insert(slices.Clone(p.Protect), d.IntN(len(p.Protect)+1), d.selector())
		if _, after := p.Protects(id, policy2.Suite{}); before && !after {
			t.Fatalf("seed %d: %+v lost its protection", seed, id)
		}
		if _, after := p.Owns(id, policy2.Suite{}); ownBefore != after {
			t.Fatalf("seed %d: a protection changed who is own", seed)
		}
	}
}

// Whom a selector surely matches in a rule it protects too: protection reads no key more narrowly.
func TestProtectionIsNoNarrowerThanAMatch(t *testing.T) {
	for seed := range uint64(20_000) {
		d := drawn{rand.New(rand.NewPCG(seed, 3))}
		s, id := d.selector(), d.identity()
		p := policy2.Policy{Protect: []policy2.Selector{s}, Images: map[string]contract.Class{"redis": "low"}}
		if _, ok := p.Protects(id, policy2.Suite{}); !ok && s.Matches(id, p.Images) != no {
			t.Fatalf("seed %d: %+v matches and does not protect %+v", seed, s, id)
		}
	}
}

// TestAWithheldLabel: of a label of which only the key is known, the key can be asked for, and each value is unknown.
func TestAWithheldLabel(t *testing.T) {
	id := &policy2.Identity{Labels: map[string]string{"owner": "", "tier": "db"}, Withheld: []string{"owner"}}
	for _, c := range []struct {
		selector policy2.Selector
		want     policy2.Truth
	}{
		{policy2.Selector{Label: &policy2.Label{Key: "owner", Any: true}}, policy2.True},
		{policy2.Selector{Label: &policy2.Label{Key: "owner", Value: "ann"}}, policy2.Unknown},
		{policy2.Selector{Label: &policy2.Label{Key: "owner", Value: ""}}, policy2.Unknown},
		{policy2.Selector{Labels: []policy2.Label{{Key: "owner", Value: "ann"}, {Key: "tier", Value: "db"}}}, policy2.Unknown},
		{policy2.Selector{Labels: []policy2.Label{{Key: "owner", Value: "ann"}, {Key: "tier", Value: "web"}}}, policy2.False},
		{policy2.Selector{Label: &policy2.Label{Key: "other", Value: "ann"}}, policy2.False},
	} {
		if got := c.selector.Matches(id, nil); got != c.want {
			t.Errorf("%+v: %v, want %v", c.selector, got, c.want)
		}
		p := policy2.Policy{Own: []policy2.Selector{c.selector}, Protect: []policy2.Selector{c.selector}}
		id.Socket = policy2.Known(false)
		if _, own := p.Owns(id, policy2.Suite{}); own != (c.want == policy2.True) {
			t.Errorf("%+v owns: %t", c.selector, own)
		}
		if _, protected := p.Protects(id, policy2.Suite{}); protected != (c.want != policy2.False) {
			t.Errorf("%+v protects: %t", c.selector, protected)
		}
	}
}
