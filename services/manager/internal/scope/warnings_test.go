package scope_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/scope"
)

// facts are n containers of which everything is known, changed one by one.
func facts(n int, change func(i int, c *rules.Container)) rules.Facts {
	var f rules.Facts
	for i := range n {
		c := rules.Container{
			Identity: &policy2.Identity{
				ID: fmt.Sprintf("%064x", i), Name: fmt.Sprintf("web-%d", i), Image: "acme/web:3", Labels: map[string]string{"own": "yes"},
				Networks: policy2.Known([]string{"bridge"}), Socket: policy2.Known(false),
			},
			InEngine: true, State: contract.StateRunning, RestartPolicy: policy2.Known("no"), AutoRemove: policy2.Known(false),
			AnonymousVolumes: policy2.Known(0), NetworkMode: policy2.Known("bridge"),
		}
		if change != nil {
			change(i, &c)
		}
		f.Containers = append(f.Containers, c)
	}
	return f
}

// of puts the container into a compose project.
func of(c *rules.Container, project string) {
	c.Labels[contract.LabelProject], c.Labels[contract.LabelConfigHash] = project, "1"
}

// A policy owns what has the label own, and others are added so that this is less than half.
func policy(rules ...policy2.Rule) policy2.Policy {
	p := policy2.Default()
	p.Own = []policy2.Selector{{Label: &policy2.Label{Key: "own", Any: true}}}
	p.Rules = rules
	return p
}

func steps(list ...policy2.Step) (l policy2.Ladder) {
	for i, s := range list {
		l = append(l, policy2.Rung{Step: s, After: policy2.Duration(i) * policy2.Hour})
	}
	return l
}

// others are containers that are not own.
func others(from int) func(int, *rules.Container) {
	return func(i int, c *rules.Container) {
		if i >= from {
			c.Labels = map[string]string{}
		}
	}
}

func TestWarnings(t *testing.T) {
	stop := steps(policy2.StepStop)
	old := policy2.Conditions{Age: policy2.Day}
	project := policy2.Rule{Name: "stale", Each: policy2.EachProject, When: old, Do: steps(policy2.StepWarn, policy2.StepStop)}
	keep := policy2.Rule{Name: "two each", Each: policy2.EachContainer, Keep: policy2.Keep{Order: policy2.Newest, Places: 2}, Rest: stop}
	perOwner := keep
	perOwner.Keep.Per = policy2.Per{By: policy2.ByLabel, Label: "owner"}

	for name, test := range map[string]struct {
		policy policy2.Policy
		facts  rules.Facts
		want   []string
	}{
		"nothing": {policy(policy2.Rule{Name: "all", Do: steps(policy2.StepWarn)}), facts(4, others(2)), nil},
		"protect nothing": {
			func() policy2.Policy {
				p := policy(policy2.Rule{Name: "all", Do: steps(policy2.StepWarn)})
				p.Protect = []policy2.Selector{
					{Image: []string{"redis*", "postgres"}}, {Name: []string{"web-3"}}, {Label: &policy2.Label{Key: "tier", Value: "db"}},
				}
				return p
			}(), facts(4, others(2)), []string{"protect[0] redis*, postgres PROTECTS NOTHING", "protect[2] tier=db PROTECTS NOTHING"},
		},
		"match nothing": {
			func() policy2.Policy {
				p := policy(policy2.Rule{Name: "idle", Match: []policy2.Selector{{Image: []string{"mcp/*"}}}, Do: steps(policy2.StepWarn)})
				p.Own = append(p.Own, policy2.Selector{Image: []string{"mcp/*"}})
				return p
			}(), facts(4, others(2)), []string{"own[1] mcp/* matches nothing", `rule "idle" matches nothing that is own`},
		},
		"nothing is own": {
			policy(policy2.Rule{Name: "all", Do: steps(policy2.StepWarn)}), facts(4, others(0)), []string{"own[0] own matches nothing"},
		},
		"half is own":       {policy(policy2.Rule{Name: "all", Do: steps(policy2.StepWarn)}), facts(4, others(2)), nil},
		"more than that is": {policy(), facts(4, others(3)), []string{"own matches 3 of 4 containers"}},
		"all is Gestor's": {
			policy2.Default(), facts(4, func(_ int, c *rules.Container) { c.Labels[contract.LabelManaged] = "true" }), nil,
		},
		"containers of projects are counted singly": {
			policy(keep), facts(10, func(i int, c *rules.Container) {
				others(4)(i, c)
				if i < 2 {
					of(c, "shop")
				}
			}), []string{`rule "two each" counts containers, 2 of 4 belong to compose projects`},
		},
		"few of them are of projects": {
			policy(keep), facts(10, func(i int, c *rules.Container) {
				others(4)(i, c)
				if i < 1 {
					of(c, "shop")
				}
			}), nil,
		},
		"a restart policy": {
			policy(
				policy2.Rule{Name: "old", When: old, Do: steps(policy2.StepWarn, policy2.StepStop, policy2.StepRemove)},
				policy2.Rule{Name: "told", When: old, Do: steps(policy2.StepWarn)},
				policy2.Rule{Name: "idle", When: policy2.Conditions{Idle: policy2.Day}, Do: stop},
			),
			facts(10, func(i int, c *rules.Container) {
				others(4)(i, c)
				c.RestartPolicy = []policy2.Fact[string]{policy2.Known("always"), {}, policy2.Known("on-failure"), policy2.Known("no")}[i%4]
			}),
			[]string{`2 that rule "old" would stop or remove by age have a restart policy: meant to stay?`},
		},
		"projects that are spared": {
			func() policy2.Policy {
				p := policy(project)
				p.Protect = []policy2.Selector{{Name: []string{"web-9"}}, {Image: []string{"redis*"}}}
				return p
			}(),
			facts(20, func(i int, c *rules.Container) {
				switch {
				case i < 6: // three projects of two, two of them with a redis
					of(c, fmt.Sprint("p", i/2))
					if i == 0 || i == 2 {
						c.Image = "bitnami/redis:7"
					}
				default:
					others(6)(i, c)
				}
			}),
			[]string{"2 projects are spared by protect redis*"},
		},
		"projects that are own in part": {
			policy(project), facts(40, func(i int, c *rules.Container) {
				if i < 14 { // seven projects of two
					of(c, fmt.Sprint("p", i/2))
				}
				if i >= 14 || i != 13 && i%2 == 1 {
					delete(c.Labels, "own")
				}
			}), []string{"6 of 7 projects are own in part only, which spares them: p0, p1, p2, p3, p4, …"},
		},
		"and no rule is for projects": {
			policy(policy2.Rule{Name: "all", Do: steps(policy2.StepWarn)}), facts(40, func(i int, c *rules.Container) {
				of(c, fmt.Sprint("p", i/2))
				if i%2 == 1 {
					delete(c.Labels, "own")
				}
			}), nil,
		},
		"the engine's socket": {
			policy(), facts(10, func(i int, c *rules.Container) {
				others(4)(i, c)
				c.Socket = policy2.Known(i == 0 || i == 1 || i == 9)
				if i == 1 {
					c.Labels[contract.LabelRole] = "manager"
				}
			}), []string{"1 container mounts the engine's socket, left out of own (socket: true)"},
		},
		"the host's network": {
			policy(
				policy2.Rule{Name: "idle", When: policy2.Conditions{Idle: policy2.Hour}, Do: stop},
				policy2.Rule{Name: "old", When: old, Do: stop},
			),
			facts(10, func(i int, c *rules.Container) {
				others(4)(i, c)
				if i%2 == 0 {
					c.NetworkMode = policy2.Known("host")
				}
			}),
			[]string{`2 on the host's network, which rule "idle" never knows to be idle`},
		},
		"--rm": {
			policy(
				policy2.Rule{Name: "stopped", Do: stop}, policy2.Rule{Name: "deleted", Do: stop, Rm: policy2.RmRemove},
				policy2.Rule{Name: "removed", Do: steps(policy2.StepStop, policy2.StepRemove)},
				policy2.Rule{Name: "gone", Do: steps(policy2.StepRemove)},
			),
			facts(10, func(i int, c *rules.Container) {
				others(4)(i, c)
				c.AutoRemove = policy2.Known(i != 1)
			}),
			[]string{
				`3 with --rm: rule "stopped" warns them, since a stop deletes them`, `3 with --rm: the stop of rule "deleted" deletes them`,
				`3 with --rm: the stop of rule "removed" deletes them`,
			},
		},
		"a label of per": {
			policy(perOwner), facts(10, func(i int, c *rules.Container) {
				others(4)(i, c)
				switch i {
				case 0:
					c.Labels["owner"] = "ana"
				case 1:
					c.Labels["owner"] = ""
				}
			}), []string{`label owner is missing on 3 of 4, which rule "two each" does not touch`},
		},
	} {
		if diff := cmp.Diff(test.want, scope.Warnings(test.policy, test.facts)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Whom nobody is sure of counts for no warning that speaks of all, and what is protected is not spoken of.
func TestWhoIsNotCounted(t *testing.T) {
	p := policy(policy2.Rule{Name: "idle", When: policy2.Conditions{Idle: policy2.Hour}, Do: steps(policy2.StepStop)})
	p.Protect = []policy2.Selector{{Name: []string{"web-0"}}}
	f := facts(10, func(i int, c *rules.Container) {
		others(4)(i, c)
		c.NetworkMode = policy2.Known("host")
		switch i {
		case 1:
			c.NetworkMode = policy2.Fact[string]{}
		case 2:
			c.InEngine, c.Identity = false, &policy2.Identity{ID: c.ID}
		}
	})

	if diff := cmp.Diff([]string{`1 on the host's network, which rule "idle" never knows to be idle`}, scope.Warnings(p, f)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Labels and names are anybody's to choose.
func TestWarningsArePrintable(t *testing.T) {
	p := policy(policy2.Rule{Name: "all", Each: policy2.EachProject, Do: steps(policy2.StepStop)})
	f := facts(10, func(i int, c *rules.Container) {
		of(c, "a\x1b[2J")
		others(4)(i, c)
		of(c, "a\x1b[2J")
	})
	got := scope.Warnings(p, f)
	if len(got) != 1 || strings.ContainsRune(got[0], '\x1b') {
		t.Errorf("%q", got)
	}
}
