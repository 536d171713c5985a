package policy2

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"unicode/utf8"

	"gestor.local/contract"
)

func TestGlobsMeet(t *testing.T) {
	cases := []struct {
		a, b                   string
		meet, aCovers, bCovers bool
	}{
		{"a", "a", true, true, true},
		{"a", "b", false, false, false},
		{"a*", "a", true, true, false},
		{"a*", "*b", true, false, false},
		{"a*", "b*", false, false, false},
		{"*a*", "*b*", true, false, false},
		{"a?c", "abc", true, true, false},
		{"a?c", "a*c", true, false, true},
		{"?", "*", true, false, true},
		{"?", "", false, false, false},
		{"*", "", true, true, false},
		{"**", "*", true, true, true},
		{"ci-*-x", "ci-*-y", false, false, false},
		{"ci-*-x*", "ci-*-y", true, false, false},
		{"é?", "éé", true, true, false},
	}
	for _, c := range cases {
		if globsMeet(c.a, c.b) != c.meet || globsMeet(c.b, c.a) != c.meet {
			t.Errorf("%q and %q: want meet %v", c.a, c.b, c.meet)
		}
		if globCovers(c.a, c.b) != c.aCovers || globCovers(c.b, c.a) != c.bCovers {
			t.Errorf("%q covers %q: want %v, the other way %v", c.a, c.b, c.aCovers, c.bCovers)
		}
	}
}

// Against every text of few letters: globs that share one are said to meet, and who covers fits all that the other fits.
func FuzzGlobsMeet(f *testing.F) {
	f.Add("a*b", "*ab")
	f.Add("?a*", "**b")
	var texts []string
	for length, last := 0, []string{""}; length < 6; length++ {
		texts = append(texts, last...)
		var longer []string
		for _, text := range last {
			longer = append(longer, text+"a", text+"b")
		}
		last = longer
	}

	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a) > 6 || len(b) > 6 || !utf8.ValidString(a+b) {
			return
		}
		shared, all := false, true
		for _, text := range texts {
			inA, inB := MatchesGlob(a, text), MatchesGlob(b, text)
			shared = shared || inA && inB
			all = all && (inA || !inB)
		}
		if shared && !globsMeet(a, b) || globsMeet(a, b) != globsMeet(b, a) {
			t.Errorf("%q and %q share a text: %v, meet %v and %v", a, b, shared, globsMeet(a, b), globsMeet(b, a))
		}
		if !all && globCovers(a, b) {
			t.Errorf("%q does not cover %q", a, b)
		}
	})
}

// selectorsOf are selectors by their JSON; null is nil.
func selectorsOf(t *testing.T, text string) []Selector {
	t.Helper()
	var out []Selector
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return out
}

func TestOverlaps(t *testing.T) {
	cases := []struct {
		a, b string
		want bool
	}{
		{`null`, `[{"label":"a"}]`, true},
		{`[{"label":"a=1"}]`, `[{"label":"a=2"}]`, false},
		{`[{"label":"a=1"}]`, `[{"label":"a"}]`, true},
		{`[{"label":"a=1"}]`, `[{"label":"b=2"}]`, true},
		{`[{"label":"a=1*"}]`, `[{"label":"a=*2"}]`, true},
		{`[{"label":"a=main"}]`, `[{"labels":["b","a=feature/*"]}]`, false},
		{`[{"class":["low"]}]`, `[{"class":["high"]}]`, false},
		{`[{"class":["low","mid"]}]`, `[{"class":["mid","high"]}]`, true},
		{`[{"project":["ci-*"]}]`, `[{"project":["shop","web"]}]`, false},
		{`[{"name":["a*"]}]`, `[{"name":["*b"]}]`, true},
		{`[{"name":["a*"]}]`, `[{"name":["b*"]}]`, false},
		{`[{"network":["a"]}]`, `[{"network":["b"]}]`, true}, // it may be attached to both
		{`[{"label":"a=1"},{"name":["x"]}]`, `[{"label":"a=2"}]`, true},
		{`[{"label":"a=1"},{"label":"a=3"}]`, `[{"label":"a=2"}]`, false},
		{`[{"label":"a=1","name":["x"]}]`, `[{"label":"a=1","name":["y"]}]`, false},

		{`[{"image":["redis"]}]`, `[{"image":["docker.io/library/redis:7"]}]`, true},
		{`[{"image":["redis:7"]}]`, `[{"image":["redis:8"]}]`, false},
		{`[{"image":["redis:7"]}]`, `[{"image":["redis:*"]}]`, true},
		{`[{"image":["redis*:7"]}]`, `[{"image":["redis-stack:7"]}]`, true},
		{`[{"image":["mcp/*"]}]`, `[{"image":["gestor/low-idle"]}]`, false},
		{`[{"image":["localhost/shop"]}]`, `[{"image":["shop"]}]`, true},
		{`[{"image":["registry:5000/a"]}]`, `[{"image":["registry:5000/b"]}]`, false},
		{`[{"image":["a@sha256:1*"]}]`, `[{"image":["a:1"]}]`, true},
	}
	for _, c := range cases {
		a, b := selectorsOf(t, c.a), selectorsOf(t, c.b)
		if Overlaps(a, b) != c.want || Overlaps(b, a) != c.want {
			t.Errorf("%s and %s: want %v", c.a, c.b, c.want)
		}
	}
}

func TestCovers(t *testing.T) {
	cases := []struct {
		a, b string
		want bool
	}{
		{`null`, `null`, true},
		{`null`, `[{"label":"a"}]`, true},
		{`[{"label":"a"}]`, `null`, false},
		{`[{"label":"a"}]`, `[{"label":"a=1","name":["x"]}]`, true},
		{`[{"label":"a=1"}]`, `[{"label":"a"}]`, false},
		{`[{"label":"a=*"}]`, `[{"labels":["a=1*","b"]}]`, true},
		{`[{"labels":["a","b"]}]`, `[{"label":"a"}]`, false},
		{`[{"name":["x*","y"]}]`, `[{"name":["x1","y"]}]`, true},
		{`[{"name":["x*"]}]`, `[{"name":["x1","y"]}]`, false},
		{`[{"image":["mcp/*"]}]`, `[{"image":["mcp/time"]}]`, true},
		{`[{"image":["mcp/*:1"]}]`, `[{"image":["mcp/time"]}]`, false},
		{`[{"image":["redis"]}]`, `[{"image":["redis:7"]}]`, false}, // it is, but that is not seen
		{`[{"class":["low","high"]}]`, `[{"class":["low"]}]`, true},
		{`[{"class":["low"]},{"label":"a"}]`, `[{"class":["low"]},{"label":"a","class":["high"]}]`, true},
		{`[{"class":["low"]}]`, `[{"class":["low"]},{"label":"a"}]`, false},
	}
	for _, c := range cases {
		if got := covers(selectorsOf(t, c.a), selectorsOf(t, c.b)); got != c.want {
			t.Errorf("%s covers %s: got %v", c.a, c.b, got)
		}
	}
}

// Against containers: who matches both is proof that two overlap, and who matches only the covered that it is not.
func TestOverlapsAndCoversHold(t *testing.T) {
	draw := rand.New(rand.NewPCG(2, 9))
	pick := func(words ...string) string { return words[draw.IntN(len(words))] }
	globs := func() []string {
		return []string{pick("a", "a*", "*b", "?", "ab", "a:1", "a*:1", "localhost/a", "library/a", "docker.io/a", "x/a", "x/*")}
	}
	selector := func() (s Selector) {
		if draw.IntN(2) == 0 {
			s.Label = &Label{Key: pick("k", "l"), Value: pick("1", "2", "*", "1*"), Any: draw.IntN(4) == 0}
		}
		if draw.IntN(2) == 0 {
			s.Image = globs()
		}
		if draw.IntN(2) == 0 {
			s.Name = globs()
		}
		if draw.IntN(3) == 0 {
			s.Class = []contract.Class{contract.Class(pick("low", "high"))}
		}
		if s.isEmpty() {
			s.Name = globs()
		}
		return s
	}
	container := func() *Identity {
		return &Identity{
			Name:   pick("a", "ab", "b", "x"),
			Image:  pick("a", "a:1", "a:2", "ab:1", "localhost/a", "localhost/a:1", "x/a:1", "docker.io/library/a", "a:1@sha256:1", "a@sha256:1"),
			Labels: map[string]string{"k": pick("1", "2", "12"), "l": pick("1", "2"), contract.LabelClass: pick("low", "high")},
		}
	}

	var p Policy
	meets, coverings := 0, 0
	for range 20_000 {
		a, b := []Selector{selector()}, []Selector{selector(), selector()}
		overlap, covering := Overlaps(a, b), covers(a, b)
		for range 10 {
			c := container()
			inA, inB := p.MatchesAny(a, c) == True, p.MatchesAny(b, c) == True
			if inA && inB && !overlap {
				t.Fatalf("%+v matches both %+v and %+v", c, a, b)
			}
			if inB && !inA && covering {
				t.Fatalf("%+v matches %+v and not %+v", c, b, a)
			}
			if inA && inB {
				meets++
			}
			if inB && covering {
				coverings++
			}
		}
	}
	if meets < 1000 || coverings < 100 {
		t.Errorf("%d containers in both, %d in what is covered: too few to tell", meets, coverings)
	}
}
