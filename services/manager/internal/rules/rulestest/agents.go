package rulestest

import (
	"strings"

	"gestor.local/contract"
)

// Agents is the table of agents.yaml.
func Agents() Table {
	rm := func(c Container) Container {
		c.Rm = true
		return c
	}
	project := func(name string) map[string]string { return map[string]string{"agent.project": name} }
	still := ActiveAt

	rows := []Row{
		one(rm(Container{Name: "mcp-time", Image: "mcp/time", Created: -hour, CPU: still(-14 * minute)}),
			[]string{"T+1m warn: idle", "T+16m remove: idle"},
			"T mcp-time: keep no_rule"),
		one(rm(Container{Name: "mcp-busy", Image: "mcp/fetch", Created: -3 * hour, CPU: still(-20*minute, 10*minute)}),
			[]string{"T warn: idle", "T+40m remove: idle"},
			"T mcp-busy: warn holds (idle)", "T+2m mcp-busy: keep waits (idle)", "T+10m mcp-busy: keep no_rule",
			"T+25m mcp-busy: keep waits (idle)"),
		one(rm(Container{Name: "mcp-memory", Image: "mcp/memory", Anonymous: 1, Created: -3 * hour, CPU: still(-hour)}),
			[]string{"T warn: idle", "T+15m warn: idle, rm_volumes"},
			"T+2m mcp-memory: keep waits (idle)", "T+15m mcp-memory: warn rm_volumes (idle)"),

		one(rm(Container{Name: "git-old", Image: "mcp/git", Labels: project("shop"), Created: -30 * minute}),
			[]string{"T remove: one each"}),
		one(rm(Container{Name: "git-new", Image: "mcp/git", Labels: project("shop"), Created: -5 * minute}),
			nil, "T git-new: keep within_quota (one each)"),
		one(rm(Container{Name: "api-1", Image: "agent", Labels: project("api"), Created: -3 * hour}),
			nil, "T api-1: keep within_quota (one each)", "T+2m api-1: keep within_quota (one each)"),
		one(rm(Container{Name: "api-2", Image: "agent", Labels: project("api"), Created: -2 * hour, CPU: still(-hour)}),
			[]string{"T warn: idle", "T+15m remove: idle"}),
		one(rm(Container{Name: "scan", Image: "mcp/scan", Network: "host", Created: -5 * hour, CPU: still(-5 * hour)}),
			nil, "T scan: keep no_rule", "T+3h scan: keep no_rule"),

		one(Container{
			Name: "burner", Image: "agent", Labels: project("web"), Created: -hour,
			CPU: Between[int64](-4*minute, 30*day, 1800, 5),
		}, []string{
			"T+1m throttle: runaway", "T+6h1m give back: runaway", "T+6h6m10s throttle: runaway",
			"T+12h6m10s give back: runaway", "T+12h11m20s throttle: runaway",
			"T+18h11m20s give back: runaway", "T+18h16m30s throttle: runaway",
		}, "T burner: keep within_quota (one each)", "T+2m burner: keep within_quota (one each)"),
		one(Container{
			Name: "left", Image: "mcp/left", Created: -9 * day, State: contract.StateExited, Finished: -2 * day,
		}, []string{"T warn: ended", "T+1d remove: ended"}, "T+2m left: keep waits (ended)"),

		one(rm(Container{Name: "db", Image: "mcp/db", Labels: map[string]string{"agent.keep": ""}, Created: -4 * hour, CPU: still()}),
			nil, "T db: keep protected"),
		one(Container{
			Name: "gateway", Image: "docker/mcp-gateway", Labels: map[string]string{"docker-mcp": "true"}, Socket: true,
			Created: -hour, CPU: still(),
		}, nil, "T gateway: keep not_owned"),
		one(rm(Container{Name: "by-id", Image: "sha256:9f2c01ab" + strings.Repeat("0", 56), Created: -hour, CPU: still()}),
			nil, "T by-id: keep not_owned"),
		one(Container{Name: "postgres", Image: "postgres:16", Created: -hour, CPU: still()},
			nil, "T postgres: keep not_owned"),
	}

	return Table{File: "agents", From: -80 * minute, Until: day + 5*minute, Rows: rows}
}
