package rulestest_test

import (
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules/rulestest"
)

// TestForeignHost lets a harsh policy loose on a host on which others work too, over a weekend on which it is off. Whom nobody
// meant stays; that the policy does act is shown by those who were meant.
func TestForeignHost(t *testing.T) {
	p := policy2.Default()
	p.Tick = policy2.Minute
	p.Own = []policy2.Selector{label("env=test"), {Project: []string{"t-*"}}}
	p.Protect = []policy2.Selector{{Image: []string{"redis*"}}}
	p.Rules = []policy2.Rule{
		{Name: "stops", Match: []policy2.Selector{label("only.stop")}, When: policy2.Conditions{Age: policy2.Hour}, Do: ladder("stop")},
		{
			Name: "jobs", Match: []policy2.Selector{{Project: []string{"t-*"}}}, Each: policy2.EachProject,
			When: policy2.Conditions{Age: policy2.Week}, Do: ladder("stop", 10*policy2.Minute, "remove"),
		},
		{Name: "living jobs", Match: []policy2.Selector{{Project: []string{"t-*"}}}, Each: policy2.EachProject, Do: ladder("keep")},
		{
			Name: "environments", Match: []policy2.Selector{{Project: []string{"half"}}}, Each: policy2.EachProject,
			When: policy2.Conditions{Age: policy2.Week}, Do: ladder("remove"),
		},
		{Name: "ended", When: policy2.Conditions{Ended: policy2.Day}, Do: ladder("remove")},
		{Name: "old", Match: []policy2.Selector{label("run")}, When: policy2.Conditions{Age: policy2.Hour}, Do: ladder("remove")},
	}

	test := func(labels ...string) map[string]string {
		out := map[string]string{"env": "test"}
		for _, key := range labels {
			out[key] = ""
		}
		return out
	}
	member := func(name string, created time.Duration, labels map[string]string) rulestest.Container {
		return rulestest.Container{
			Name: name, Image: "job", Project: name[:len(name)-2], Service: name[len(name)-1:], Created: created, Labels: labels,
		}
	}
	// T is the evening of Friday: the database is stopped five minutes before its host.
	database := rulestest.Container{
		Name: "db-of-friday", Image: "postgres:16", Labels: test(), Created: -5 * day,
		Run: func(n int) time.Duration { return 5*day - 5*minute },
	}
	halfOwn := member("half-b", -30*day, nil)

	survivors := []rulestest.Container{
		{Name: "foreign-db", Image: "postgres:16", Created: -90 * day, Labels: map[string]string{"env": "production"}, Restart: "always"},
		{Name: "stranger", Image: "nginx", Created: -90 * day, Restart: "always"},
		{Name: "rm-volume", Image: "mcp/memory", Labels: test("run"), Rm: true, Anonymous: 1, Created: -hour},
		{Name: "rm-stop", Image: "job", Labels: test("only.stop"), Rm: true, Created: -hour},
		database,
		{Name: "cache", Image: "bitnami/redis:7", Labels: test("run"), Created: -90 * day, Restart: "always"},
		member("half-a", -30*day, test("run")), halfOwn,
		member("t-1-a", -30*day, nil), member("t-1-b", -day, nil),
	}
	meant := []rulestest.Container{
		{Name: "job-1", Image: "job", Labels: test("run"), Created: -30 * minute, Restart: "always"},
		{Name: "job-2", Image: "job", Labels: test("only.stop"), Created: -3 * hour},
		{Name: "job-3", Image: "job", Labels: test(), Created: -3 * day, State: contract.StateExited, Finished: -23 * hour},
		member("t-2-a", -30*day, nil),
	}

	// The --rm ones would end with their host whatever the policy: the weekend is another world's.
	for name, weekend := range map[string]bool{"a working day": false, "a weekend": true} {
		t.Run(name, func(t *testing.T) {
			w := rulestest.New(p, -2*hour)
			until := 20 * hour
			for _, c := range survivors {
				if !weekend || !c.Rm {
					w.Add(c)
				}
			}
			w.Add(meant...)
			if weekend {
				w.PowerOff(0, 62*hour)
				until = 62*hour + 20*hour
			}
			w.Run(until)

			for _, c := range survivors {
				for _, e := range w.Log() {
					if isEnd := e.What == rulestest.EventStop || e.What == rulestest.EventRemove; isEnd && e.Name == c.Name {
						t.Errorf("%s: %s", c.Name, e)
					}
				}
			}
			for _, c := range meant {
				if len(w.History(c.Name)) == 0 {
					t.Errorf("%s was left alone: the policy acts on nobody", c.Name)
				}
			}
		})
	}
}
