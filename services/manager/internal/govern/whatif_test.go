package govern_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/rules/rulestest"
	"gestor.local/manager/internal/whatif"
)

// TestWhatIfOfTheExamples: of the journal of a governor that only observes, since nobody has approved its policy, whatif tells what the
// table says that a governor does under it, at the same moments.
func TestWhatIfOfTheExamples(t *testing.T) {
	eachTable(t, 2300, func(t *testing.T, table rulestest.Table, down time.Duration) {
		if down > 0 {
			return // a notice of whatif arrives at once
		}
		file, dir := fileOf(t, table.File), memoryDir(t)
		synctest.Test(t, func(t *testing.T) {
			p := &tablePlay{
				table: table, policy: table.Policy(file), dir: dir, events: map[string][]string{}, said: map[time.Duration]rules.Plan{},
			}
			if !p.policy.NeedsApproval() {
				return // it would act
			}
			p.version2 = govern.Version2{Policy: p.policy}
			time.Sleep(time.Until(tableT().Add(table.From)))
			p.tableHost = newTableHost(t, time.Duration(p.policy.Tick)*time.Second, table.From)
			p.unapproved = true
			p.play(0)

			told := whatIfTold(t, p)
			for _, r := range table.Rows {
				for _, c := range r.Containers {
					want := stepsOf(r.Events[c.Name], r.StartedAt)
					got := stepsOf(told[c.Name], r.StartedAt)
					for len(got) > len(want) && momentOf(got[len(got)-1]) > table.Until {
						got = got[:len(got)-1]
					}
					if !slices.Equal(want, got) {
						t.Errorf("whatif tells of %s (-want +got):\n%s", c.Name, cmp.Diff(want, got))
					}
				}
			}
		})
	})
}

// whatIfTold are the steps that whatif tells of from T on, by container, as the table has them.
func whatIfTold(t *testing.T, p *tablePlay) map[string][]string {
	t.Helper()
	r, err := whatif.Run(p.dir, whatif.Options{Policy: p.policy, From: tableT()})
	if err != nil {
		t.Fatal(err)
	}
	told := map[string][]string{}
	for _, c := range r.Containers {
		for _, s := range c.Policy {
			at := s.At.Sub(tableT()).Truncate(time.Second)
			told[c.Name] = append(told[c.Name], rulestest.Moment(at)+" "+string(s.Step)+": "+s.Rule)
		}
	}
	return told
}

// stepsOf are those events that are steps, and no notices of a guard. What comes after a person's start of what was stopped is left out: on the host that is
// observed it ran all the while, and nobody had to start it.
func stepsOf(events []string, startedAt time.Duration) []string {
	return slices.DeleteFunc(slices.Clone(events), func(e string) bool {
		return !isStep(e) || startedAt > 0 && momentOf(e) >= startedAt
	})
}

func isStep(event string) bool {
	_, what, _ := strings.Cut(event, " ")
	step, _, _ := strings.Cut(what, ":")
	guarded := strings.Contains(what, ", ")
	return !guarded && slices.Contains(policy2.Steps(), policy2.Step(step))
}
