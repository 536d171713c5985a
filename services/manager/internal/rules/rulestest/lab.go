package rulestest

import (
	"time"

	"gestor.local/contract"
)

// Lab is the table of lab.yaml.
func Lab() Table {
	student := func(name, student string, created time.Duration) Container {
		return Container{Name: name, Image: "lab", Labels: map[string]string{"lab.student": student}, Created: created}
	}
	with := func(c Container, set func(*Container)) Container {
		set(&c)
		return c
	}
	rm := func(c Container) Container {
		return with(c, func(c *Container) { c.Rm = true })
	}
	bomb := Between(0, 30*day, 612, 3)

	rows := []Row{
		one(student("alfa-1", "alfa", -3*day), []string{"T stop: two each"}),
		one(student("alfa-2", "alfa", -2*day), nil, "T alfa-2: keep within_quota (two each)"),
		one(student("alfa-3", "alfa", -day), nil, "T alfa-3: keep within_quota (two each)"),
		one(rm(student("lima-1", "lima", -3*hour)), []string{"T warn: two each, rm_stop", "T+1d warn: two each, rm_stop"},
			"T+30m lima-1: keep rm_stop (two each)"),
		one(rm(student("lima-2", "lima", -2*hour)), nil, "T lima-2: keep within_quota (two each)"),
		one(rm(student("lima-3", "lima", -hour)), nil, "T lima-3: keep within_quota (two each)"),
		one(with(student("bravo-1", "bravo", -5*day), func(c *Container) { c.CPU = ActiveAt() }),
			nil, "T bravo-1: keep within_quota (two each)"),

		one(with(student("cobalt-1", "cobalt", -day), func(c *Container) {
			c.CPU = Between[int64](-5*minute, 20*minute, 3500, 10)
		}), []string{"T throttle: hogs", "T+30m give back: hogs"}, "T cobalt-1: keep within_quota (two each)"),
		one(with(student("web-1", "web", -day), func(c *Container) {
			c.CPU = func(at time.Duration) int64 {
				switch {
				case at < 0:
					return 5
				case at < 12*minute:
					return 2500
				}
				return 600
			}
		}), []string{"T+5m throttle: hogs", "T+6h5m give back: hogs"}),
		one(with(student("india-1", "india", -day), func(c *Container) {
			c.CPU = Between[int64](-4*minute, 30*day, 1600, 5)
			c.BadRow = func(at time.Duration) bool { return at == 0 }
		}), []string{
			"T+1m20s throttle: hogs", "T+6h1m20s give back: hogs", "T+6h6m30s throttle: hogs",
			"T+12h6m30s give back: hogs", "T+12h11m40s throttle: hogs", "T+18h11m40s give back: hogs", "T+18h16m50s throttle: hogs",
		}),

		one(with(student("delta-1", "delta", -day), func(c *Container) { c.Processes = bomb }),
			[]string{"T+30s stop: bombs"}, "T delta-1: keep within_quota (two each)"),
		one(with(student("echo-1", "echo", -day), func(c *Container) {
			c.Restart = "always"
			c.Run = func(n int) time.Duration {
				if n == 0 {
					return day
				}
				return 2 * time.Second
			}
		}), []string{"T+5m20s stop: looping"}, "T echo-1: keep no_rule"),
		one(with(student("kilo-1", "kilo", -day), func(c *Container) {
			// With the engine's backoff it is started again 1, 2, 3, 5, 8 and 13 s after T.
			runs := []time.Duration{day + 900*ms, 800 * ms, 600 * ms, 1200 * ms, 1400 * ms, 1800 * ms, 0}
			c.Restart = "always"
			c.Run = func(n int) time.Duration { return runs[n] }
		}), nil),

		one(student("fir-1", "", -day), nil, "T fir-1: keep no_rule"),
		one(with(student("gulf-1", "gulf", -day), func(c *Container) { c.State = contract.StatePaused }),
			nil, "T gulf-1: keep paused", "T+1d gulf-1: keep paused"),
		one(with(student("hotel-1", "hotel", -20*day), func(c *Container) {
			c.State, c.Finished = contract.StateExited, -8*day
		}), []string{"T warn: tidy", "T+1d remove: tidy"}, "T+30m hotel-1: keep waits (tidy)"),
		one(with(rm(student("metro-1", "metro", -hour)), func(c *Container) { c.Processes, c.Anonymous = bomb, 1 }),
			[]string{"T+30s warn: bombs, rm_volumes", "T+1d30s warn: bombs, rm_volumes"}),
	}

	return Table{File: "lab", From: -7 * minute, Until: day + minute, Rows: rows}
}

const ms = time.Millisecond
