package scope_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/scope"
)

func TestCovers(t *testing.T) {
	p := policy()
	p.Protect = []policy2.Selector{
		{Name: []string{"web-1", "web-3"}}, {Image: []string{"redis*"}}, {Label: &policy2.Label{Key: "a\x1bb", Any: true}}, {Name: []string{"web-*"}},
	}
	f := facts(4, func(i int, c *rules.Container) {
		others(2)(i, c) // whoever is not own is counted, too
		if i == 0 {
			c.Labels["a\x1bb"] = ""
		}
	})

	want := []scope.Cover{{"named web-1 or web-3", 2}, {"of image redis*", 0}, {"with label a\ufffdb", 1}, {"named web-*", 4}}
	if diff := cmp.Diff(want, scope.Covers(p, f)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	p.Protect = nil
	if got := scope.Covers(p, f); got == nil || len(got) != 0 {
		t.Errorf("of none: %v", got)
	}
}
