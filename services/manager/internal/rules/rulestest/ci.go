package rulestest

import (
	"time"

	"gestor.local/contract"
)

// CI is the table of ci.yaml.
func CI() Table {
	tests := map[string]string{"org.testcontainers": "true"}
	startedAt := func(at time.Duration) *time.Duration { return &at }
	job := func(project, service string, created time.Duration, needs ...string) Container {
		return Container{
			Name: project + "-" + service, Image: "job", Project: project, Service: service, DependsOn: needs, Created: created,
		}
	}
	migrate := job("ci-5", "migrate", -70*minute)
	migrate.State, migrate.Finished = contract.StateExited, -65*minute
	kept := job("ci-42", "db", -hour)
	kept.Labels = map[string]string{"ci.keep": ""}

	rows := []Row{
		one(Container{Name: "tc-pg", Image: "postgres:16", Labels: tests, Created: -90 * minute},
			[]string{"T+30m remove: old"}, "T tc-pg: keep no_rule"),
		one(Container{
			Name: "ryuk", Image: "testcontainers/ryuk:0.11.0", Labels: tests, Socket: true, Created: -3 * hour,
		}, []string{"T remove: old"}),
		one(Container{
			Name: "act-1", Image: "act", Created: -40 * minute, State: contract.StateExited, Finished: -30 * minute,
		}, []string{"T+30m remove: ended"}, "T act-1: keep no_rule"),
		one(Container{Name: "act-2", Image: "act", Created: -70 * minute, State: contract.StateCreated},
			[]string{"T remove: ended"}),
		one(Container{Name: "act-pet", Image: "act", Created: -9 * day, Started: startedAt(-2 * minute)},
			[]string{"T+8m remove: old"}, "T act-pet: keep just_started (old)"),

		{
			Containers: []Container{job("ci-41", "web", -119*minute, "db"), job("ci-41", "db", -119*minute)},
			Events: map[string][]string{
				"ci-41-web": {"T+1m stop: dead jobs", "T+11m remove: dead jobs"},
				"ci-41-db":  {"T+1m stop: dead jobs", "T+11m remove: dead jobs"},
			},
			Says: []string{"T ci-41-web: keep keep_rule (living jobs)"},
		},
		{
			Containers: []Container{job("ci-9", "app", -5*hour), job("ci-9", "db", -hour)},
			Events: map[string][]string{
				"ci-9-app": {"T+1h stop: dead jobs", "T+1h10m remove: dead jobs"},
				"ci-9-db":  {"T+1h stop: dead jobs", "T+1h10m remove: dead jobs"},
			},
			Says: []string{"T ci-9-app: keep keep_rule (living jobs)", "T+35m ci-9-app: keep keep_rule (living jobs)"},
		},
		{
			Containers: []Container{job("ci-5", "app", -70*minute), migrate},
			Events: map[string][]string{
				"ci-5-app":     {"T+50m stop: dead jobs", "T+1h remove: dead jobs"},
				"ci-5-migrate": {"T+1h remove: dead jobs"},
			},
			Says: []string{"T ci-5-app: keep keep_rule (living jobs)", "T ci-5-migrate: keep keep_rule (living jobs)"},
		},
		{
			Containers: []Container{job("ci-42", "app", -5*hour), kept},
			Says: []string{
				"T ci-42-app: keep unit_spared (living jobs)", "T ci-42-db: keep protected",
				"T+1h ci-42-app: keep unit_spared (dead jobs)", "T+3h ci-42-app: keep unit_spared (dead jobs)",
			},
		},
		one(Container{Name: "ci-runner-1", Image: "runner", Project: "ci-runner", Service: "runner", Created: -200 * day},
			nil, "T ci-runner-1: keep protected"),

		one(Container{Name: "act-x", Image: "act", Labels: map[string]string{"ci.ttl": "45m"}, Created: -40 * minute},
			[]string{"T+5m remove: expired"}),
		one(Container{Name: "act-y", Image: "act", Labels: map[string]string{"ci.ttl": "soon"}, Created: -60 * minute},
			[]string{"T+1h remove: old"}, "T act-y: keep no_rule"),
		one(Container{
			Name: "tc-swarm", Image: "redis:7", Created: -6 * hour,
			Labels: map[string]string{"org.testcontainers": "true", contract.LabelSwarmTask: "x1"},
		}, []string{"T warn: old, managed_elsewhere"}, "T+35m tc-swarm: keep managed_elsewhere (old)"),
		one(Container{Name: "tc-always", Image: "redis:7", Labels: tests, Restart: "always", Created: -6 * hour},
			[]string{"T remove: old"}),
	}

	return Table{File: "ci", From: -minute, Until: 3*hour + minute, Rows: rows}
}
