package churn

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// AvailableKB reads MemAvailable, in KiB, from meminfo below proc (proc_meminfo(5)).
func AvailableKB(proc string) (uint64, error) {
	text, err := os.ReadFile(filepath.Join(proc, "meminfo"))
	if err != nil {
		return 0, fmt.Errorf("read available memory: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] != "MemAvailable:" || f[2] != "kB" {
			continue
		}
		kb, err := strconv.ParseUint(f[1], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read available memory: %w", err)
		}
		return kb, nil
	}
	return 0, fmt.Errorf("read available memory: no MemAvailable in %s", filepath.Join(proc, "meminfo"))
}
