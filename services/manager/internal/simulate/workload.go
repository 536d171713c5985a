package simulate

import (
	"fmt"

	"gestor.local/contract"
)

// kind is what one image really consumes: the truth that the decisions are held against.
type kind struct {
	image string
	class contract.Class
	// startUS is CPU time spent on starting, before the steady state.
	startUS uint64
	// steadyMC is CPU in the steady state (milli-cores), limitMC what the container is held to.
	steadyMC, limitMC uint64
	ramKB, vszKB      uint64
	// busyUS is CPU time after which the container goes idle, give or take a half; 0 = never.
	busyUS uint64
}

// Workloads by name. gestor is what the stress images promise and the limits they are started with; seed is the
// original code's Python programs, which have no limits and need longer to start. Their RAM and VSZ are from its published
// figures. fading is gestor with computing containers that go idle after two to six minutes: what they were is not what
// they are.
func workloads(name string) ([]kind, error) {
	switch name {
	case "gestor":
		return []kind{
			{"gestor/high-cpu", contract.ClassHigh, 30_000, 250, 250, 8 << 10, 70 << 10, 0},
			{"gestor/high-ram", contract.ClassHigh, 150_000, 0, 250, 212 << 10, 280 << 10, 0},
			{"gestor/low-idle", contract.ClassLow, 5_000, 0, 50, 700, 2_400, 0},
			{"gestor/low-pulse", contract.ClassLow, 5_000, 6, 50, 700, 2_400, 0},
		}, nil
	case "seed":
		return []kind{
			{"alto_1", contract.ClassHigh, 150_000, 1000, 1000, 217_268, 219_600, 0},
			{"alto_2", contract.ClassHigh, 150_000, 1000, 1000, 54_020, 128_304, 0},
			{"bajo_1", contract.ClassLow, 120_000, 1, 1000, 30_240, 32_000, 0},
			{"bajo_2", contract.ClassLow, 300_000, 4, 1000, 53_768, 128_000, 0},
		}, nil
	case "fading":
		kinds, err := workloads("gestor")
		for i := range kinds {
			if kinds[i].steadyMC == kinds[i].limitMC {
				kinds[i].busyUS = 60_000_000
			}
		}
		return kinds, err
	default:
		return nil, fmt.Errorf("unknown workload %q (gestor, seed or fading)", name)
	}
}
