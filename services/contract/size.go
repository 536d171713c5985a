package contract

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes in a setting: "67108864", "64MiB", "64 MB".
type Size int64

// units of a size, in lower case: those of IEC 80000-13 and of the SI.
var units = map[string]Size{
	"": 1, "b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
}

// UnmarshalText reads a whole number with or without a unit; upper and lower case are the same.
func (s *Size) UnmarshalText(text []byte) error {
	number := strings.TrimSpace(string(text))
	unit := strings.TrimLeft(number, "0123456789")
	factor, known := units[strings.ToLower(strings.TrimSpace(unit))]

	// Compared by division: the product may be beyond 64 bits.
	n, err := strconv.ParseInt(strings.TrimSuffix(number, unit), 10, 64)
	if err != nil || !known || n > math.MaxInt64/int64(factor) {
		return fmt.Errorf("%q is no size: want a whole number of bytes, or one with kB, MB, GB, KiB, MiB or GiB, as in 64MiB", text)
	}
	*s = Size(n) * factor
	return nil
}
