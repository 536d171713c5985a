package rulestest

import (
	"time"

	"gestor.local/contract/policy2"
)

// preview are the two containers of an environment: web, which needs db.
func preview(project, branch string, web, db time.Duration) []Container {
	labels := map[string]string{"preview.branch": branch}
	return []Container{
		{Name: project + "-web", Image: "web", Project: project, Service: "web", DependsOn: []string{"db"}, Labels: labels, Created: web},
		{Name: project + "-db", Image: "db", Project: project, Service: "db", Labels: labels, Created: db, Anonymous: 1},
	}
}

// whole is the row of a preview environment: what happens to one of its containers happens to the other.
func whole(project, branch string, age time.Duration, events []string, says ...string) Row {
	r := Row{Containers: preview(project, branch, -age, -age), Says: says}
	if events != nil {
		r.Events = map[string][]string{project + "-web": events, project + "-db": events}
	}
	return r
}

// Previews is the table of previews.yaml.
func Previews() Table {
	stranger := preview("g-1", "g", -9*day, -9*day)
	stranger[1].Labels = nil
	redeployed := Row{
		Containers: preview("d-1", "d", -9*day, -day),
		Says:       []string{"T d-1-web: keep within_quota (stale)", "T+5d d-1-web: keep within_quota (stale)"},
	}

	restarted := whole("e-1", "e", 9*day, []string{
		"T warn: stale", "T+1d stop: stale", "T+1d1h started by a person",
		"T+1d1h warn: stale", "T+2d1h stop: stale", "T+6d1h remove: stale",
	})
	restarted.StartedAt = 25 * hour
	unreachable := whole("f-1", "f", 9*day, []string{"T+2h warn: stale", "T+1d2h stop: stale", "T+5d2h remove: stale"})
	unreachable.DownUntil = 2 * hour

	rows := []Row{
		whole("m-1", "main", 30*day, nil, "T m-1-web: keep keep_rule (main stays)"),
		whole("a-1", "a", 10*day, []string{"T warn: stale", "T+1d stop: stale", "T+5d remove: stale"}),
		whole("a-2", "a", 8*day, []string{"T warn: stale", "T+1d stop: stale", "T+5d remove: stale"}),
		whole("a-3", "a", 5*day, nil, "T a-3-web: keep within_quota (stale)", "T+5d a-3-web: keep within_quota (stale)"),
		whole("a-4", "a", day, nil, "T a-4-web: keep within_quota (stale)"),
		whole("b-1", "b", 20*day, nil, "T b-1-db: keep within_quota (stale)"),

		whole("c-1", "c", 60*hour, []string{"T+12h warn: stale", "T+1d12h stop: stale", "T+5d12h remove: stale"}, "T c-1-web: keep no_rule"),
		whole("c-2", "c", day, nil),
		whole("c-3", "c", hour, nil),

		redeployed,
		whole("d-2", "d", 2*day, nil, "T d-2-web: keep within_quota (stale)"),
		whole("d-3", "d", 2*day, []string{"T+1d warn: stale", "T+2d stop: stale", "T+6d remove: stale"}, "T d-3-web: keep no_rule"),

		restarted,
		whole("e-2", "e", 8*day, nil),
		whole("e-3", "e", 7*day, nil),

		unreachable,
		whole("f-2", "f", day, nil),
		whole("f-3", "f", day, nil),

		{
			Containers: stranger,
			Says:       []string{"T g-1-web: keep unit_spared (stale)", "T g-1-db: keep not_owned", "T+5d g-1-web: keep unit_spared (stale)"},
		},
	}

	return Table{File: "previews", From: -5 * minute, Until: 6*day + 2*hour, Rows: rows, Tick: policy2.Minute}
}
