package console

import (
	"fmt"
	"time"

	"gestor.local/contract"
)

// size prints KiB as people read it.
func size(kb uint64) string {
	const step = 1024
	switch {
	case kb >= step*step:
		return fmt.Sprintf("%.1f GiB", float64(kb)/(step*step))
	case kb >= step:
		return fmt.Sprintf("%.1f MiB", float64(kb)/step)
	default:
		return fmt.Sprintf("%d KiB", kb)
	}
}

func ms(us uint64) string {
	return (time.Duration(us) * time.Microsecond).Round(10 * time.Microsecond).String()
} //nolint:gosec // a duration

// longestCell is the widest name of a table: a column is as wide as its widest cell, in every row.
const longestCell = 80

// cell is a text that somebody else chose as a table shows it.
func cell(s string) string { return contract.Shorten(contract.Printable(s), longestCell) }
