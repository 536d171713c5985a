package planview

import "fmt"

// Bytes is a number of bytes as people say it: 12 B, 3.2 GiB, 320 MiB.
func Bytes(bytes int64) string {
	const step, enough = 1024, 100
	value, units := float64(bytes), []string{"B", "KiB", "MiB", "GiB", "TiB"}
	at := 0
	for value >= step && at+1 < len(units) {
		value /= step
		at++
	}
	if at == 0 || value >= enough {
		return fmt.Sprintf("%.0f %s", value, units[at])
	}
	return fmt.Sprintf("%.1f %s", value, units[at])
}
