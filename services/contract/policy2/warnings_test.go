package policy2

import (
	"reflect"
	"strings"
	"testing"
)

func TestWarnings(t *testing.T) {
	const (
		own     = `"own":[{"label":"a"}],`
		bombs   = `{"name":"bombs","when":{"processes":500},"do":"stop"}`
		stale   = `{"name":"stale","when":{"age":"3d"},"do":["warn",{"after":"24h","do":"stop"}]}`
		idle    = `{"name":"idle","when":{"idle":"15m"},"do":["warn",{"after":"15m","do":"remove"}]}`
		old     = `{"name":"old","when":{"age":"2h"},"do":"remove"}`
		hogs    = `{"name":"hogs","when":{"cpu":"150%","for":"5m"},"do":"throttle"}`
		ended   = `{"name":"ended","when":{"ended":"1d"},"do":"remove"}`
		all     = `{"name":"all","do":"remove"}`
		twoEach = `{"name":"two each","each":"container","keep":{"newest":2,"per":"label a"},"rest":"stop"}`
		two     = `{"name":"two","each":"container","keep":{"newest":2},"rest":"stop"}`
		main    = `{"name":"main","match":[{"label":"a=main"}],"do":"keep"}`
		mcp     = `{"name":"mcp","match":[{"image":["mcp/*"]}],"when":{"idle":"1h"},"do":"warn"}`
	)

	cases := []struct {
		name, keys string
		want       []string
	}{
		{"nothing", own + rulesOf(), nil},
		{"a notice hides an emergency", own + rulesOf(stale, bombs), []string{
			`rule "stale" gives 1d of notice, in which "bombs" below does not act on the same containers`,
		}},
		{"emergencies first", own + rulesOf(bombs, stale), nil},
		{"an emergency that waits is none", own + rulesOf(stale, `{"name":"x","when":{"processes":5},"do":["warn",{"after":"1h","do":"stop"}]}`), nil},
		{"a notice alone hides nothing", own + rulesOf(`{"name":"told","do":"warn"}`, bombs), nil},
		{"the notice lasts until a stop", own + rulesOf(`{"name":"n","when":{"age":"1d"},"do":["warn",{"after":"1h","do":"throttle"},{"after":"2h","do":"stop"}]}`, bombs), []string{
			`rule "n" gives 3h of notice, in which "bombs" below does not act on the same containers`,
		}},
		{"ended and running are not the same", own + rulesOf(`{"name":"n","when":{"ended":"1d"},"do":["warn",{"after":"1h","do":"remove"}]}`, bombs), nil},
		{"others than those", own + rulesOf(strings.Replace(stale, `"when"`, `"match":[{"label":"a=1"}],"when"`, 1), strings.Replace(bombs, `"when"`, `"match":[{"label":"a=2"}],"when"`, 1)), nil},
		{"restarts of the rest", own + rulesOf(stale, `{"name":"k","each":"container","keep":{"newest":9},"rest_when":{"restarts":"5 in 10m","for":"5m"},"rest":"stop"}`), []string{
			`rule "stale" gives 1d of notice, in which "k" below does not act on the same containers`,
		}},

		{"idle may stay unknown", own + rulesOf(idle, old), []string{
			`rule "idle" may be in doubt for ever for those on the host's network, which "old" below then does not touch`,
		}},
		{"a notice below is gentle enough", own + rulesOf(idle, `{"name":"old","when":{"age":"2h"},"do":"warn"}`), nil},
		{"age first", own + rulesOf(old, idle), nil},

		{"own left out", rulesOf(mcp), []string{
			`no rule can act: own is gestor.managed=true, rule "mcp" speaks of image mcp/* (own: [{image: mcp/*}])`,
		}},
		{"own left out, two selectors", rulesOf(`{"name":"x","match":[{"label":"preview.branch"},{"project":["ci-*","*x"],"name":["y"]}],"do":"warn"}`), []string{
			`no rule can act: own is gestor.managed=true, rule "x" speaks of label preview.branch, or name y project ci-*, *x ` +
				`(own: [{label: preview.branch}, {name: y, project: [ci-*, "*x"]}])`,
		}},
		{"another value than own", `"own":[{"label":"a=1"},{"label":"a=2"}],` + rulesOf(`{"name":"x","match":[{"label":"a=3"}],"do":"warn"}`), []string{
			`no rule can act: own is label a=1, or label a=2, rule "x" speaks of label a=3 (own: [{label: a=3}])`,
		}},
		{"one rule acts", rulesOf(mcp, old), nil},
		{"Gestor's classes", rulesOf(`{"name":"low","match":[{"class":["low"]}],"each":"container","keep":{"lightest":3},"rest":"remove"}`), nil},
		{"Gestor's images", `"images":{"alto_1":"high"},` + rulesOf(`{"name":"x","match":[{"image":["gestor/*"]}],"do":"warn"}`,
			`{"name":"y","match":[{"image":["alto_*"]}],"do":"warn"}`), nil},
		{"own is nobody on purpose", `"own":[],` + rulesOf(mcp), nil},

		{"everybody at once", own + rulesOf(all), []string{`rule "all" removes every own container at once`}},
		{"everybody by match", own + rulesOf(`{"name":"x","match":[{"label":"a"}],"do":["stop",{"after":"1h","do":"remove"}]}`), []string{
			`rule "x" stops every own container at once`,
		}},
		{"everybody after a notice", own + rulesOf(`{"name":"x","do":["warn",{"after":"1h","do":"remove"}]}`), nil},
		{"some", own + rulesOf(`{"name":"x","match":[{"label":"a=1"}],"do":"remove"}`), nil},

		{"never reached", own + rulesOf(`{"name":"x","do":["warn",{"after":"1h","do":"remove"}]}`, ended), []string{
			`rule "ended" is never reached: "x" decides of all it speaks of`,
		}},
		{"never reached, by labels", own + rulesOf(main, `{"name":"x","match":[{"label":"a=main","name":["y"]}],"do":"warn"}`), []string{
			`rule "x" is never reached: "main" decides of all it speaks of`,
		}},
		{"the stopped are reached", own + rulesOf(`{"name":"x","match":[{"label":"a=1"}],"do":"stop"}`, `{"name":"y","match":[{"label":"a=1"}],"when":{"ended":"7d"},"do":"remove"}`), nil},
		{"the running are not", own + rulesOf(`{"name":"x","match":[{"label":"a=1"}],"do":"stop"}`, `{"name":"y","match":[{"label":"a=1"}],"when":{"cpu":"50%"},"do":"warn"}`), []string{
			`rule "y" is never reached: "x" decides of all it speaks of`,
		}},
		{"a project is matched as a whole", own + rulesOf(`{"name":"x","match":[{"label":"a=1"}],"each":"project","do":"keep"}`, `{"name":"y","match":[{"label":"a=1"}],"when":{"ended":"7d"},"do":"remove"}`), nil},

		{"throttle below places", own + rulesOf(twoEach, hogs), []string{`rule "hogs" throttles below "two each": it reaches only those without a place`}},
		{"throttle below what stays", own + rulesOf(main, hogs), []string{`rule "hogs" throttles below "main": it does not reach those that stay`}},
		{"throttle below all places", own + rulesOf(two, hogs), []string{`rule "hogs" is never reached: "two" decides of all it speaks of`}},
		{"throttle below a rest with conditions", own + rulesOf(strings.Replace(twoEach, `"rest"`, `"rest_when":{"age":"1h"},"rest"`, 1), hogs), nil},
		{"throttle first", own + rulesOf(hogs, twoEach), nil},

		{"places for emergencies", own + rulesOf(twoEach, bombs), []string{`rule "two each" gives places to those whom "bombs" below would stop`}},
		{"places for the old", own + rulesOf(twoEach, old), []string{`rule "two each" gives places to those whom "old" below would remove`}},
		{"the ended have no places", own + rulesOf(twoEach, ended), nil},
		{"what stays is meant to", own + rulesOf(main, bombs), nil},

		{"bound by a default", own + `"budget":["60 per 1m","5 per tick","30 per 1h"],` + rulesOf(), []string{`30 per 1h (default) is below 60 per 1m (write per 1h too)`}},
		{"bound by two", own + `"budget":["40 per tick","30 per 1m","30 per 1h","100 per 1d"],` + rulesOf(), []string{
			`30 per 1m (default) is below 40 per tick (write per 1m too)`,
			`30 per 1h (default) is below 40 per tick (write per 1h too)`,
		}},
		{"bound by what is written", own + `"budget":["5 per tick","30 per 1m","20 per 1h"],` + rulesOf(), nil},

		{"in order", `"budget":["50 per tick","60 per 1m","30 per 1h"],` + rulesOf(twoEach, stale, idle, hogs, bombs, all, old), []string{
			`rule "stale" gives 1d of notice, in which "bombs" below does not act on the same containers`,
			`rule "idle" gives 15m of notice, in which "bombs" below does not act on the same containers`,
			`rule "idle" may be in doubt for ever for those on the host's network, which "old" below then does not touch`,
			`rule "all" removes every own container at once`,
			`rule "old" is never reached: "all" decides of all it speaks of`,
			`rule "hogs" throttles below "two each": it reaches only those without a place`,
			`rule "two each" gives places to those whom "stale" below would stop`,
			`rule "two each" gives places to those whom "idle" below would remove`,
			`rule "two each" gives places to those whom "bombs" below would stop`,
			`rule "two each" gives places to those whom "all" below would remove`,
			`rule "two each" gives places to those whom "old" below would remove`,
			`30 per 1h (default) is below 60 per 1m (write per 1h too)`,
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := decoded(t, c.keys+`"warmup":1`)
			p.Budget = Budget(p.Budget)
			if got := p.Warnings(); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(c.want, "\n\t"))
			}
		})
	}
}

func rulesOf(rules ...string) string { return `"rules":[` + strings.Join(rules, ",") + `],` }
