package netdev

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

const headings = "Inter-|   Receive                                                |  Transmit\n" +
	" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n"

func interfaceLine(name string, in, out uint64) string {
	const line = "%6s: %7d       9    0    0    0     0          0         0 %8d      3    0    0    0     0       0          0\n"
	return fmt.Sprintf(line, name, in, out)
}

func TestParse(t *testing.T) {
	const none, fails = 0, math.MaxUint64
	for name, test := range map[string]struct {
		file string
		want uint64
	}{
		"no interface":         {headings, none},
		"the loopback alone":   {headings + interfaceLine("lo", 70, 70), none},
		"one":                  {headings + interfaceLine("lo", 70, 70) + interfaceLine("eth0", 1906, 126), 2032},
		"two":                  {headings + interfaceLine("eth0", 1, 2) + interfaceLine("eth1", 4, 8), 15},
		"named like the loop":  {headings + interfaceLine("lo1", 1, 2), 3},
		"no space behind":      {headings + "  eth0:1906 9 0 0 0 0 0 0 126 3 0 0 0 0 0 0\n", 2032},
		"more columns":         {headings + "  eth0: 1 9 0 0 0 0 0 0 2 3 0 0 0 0 0 0 5 5\n", 3},
		"the largest":          {headings + interfaceLine("eth0", math.MaxUint64-1, 0), math.MaxUint64 - 1},
		"too large":            {headings + interfaceLine("eth0", math.MaxUint64, 1), fails},
		"nothing":              {"", fails},
		"half the headings":    {"Inter-|   Receive\n", fails},
		"cut off":              {headings + "  eth0: 1906 9 0 0 0\n", fails},
		"no name":              {headings + " 1 9 0 0 0 0 0 0 2 3 0 0 0 0 0 0\n", fails},
		"a number that is not": {headings + "  eth0: x 9 0 0 0 0 0 0 2 3 0 0 0 0 0 0\n", fails},
		"below zero":           {headings + "  eth0: 1 9 0 0 0 0 0 0 -2 3 0 0 0 0 0 0\n", fails},
	} {
		got, err := parse([]byte(test.file))
		if (err != nil) != (test.want == fails) || err == nil && got != test.want {
			t.Errorf("%s: %d, %v", name, got, err)
		}
	}
}

// Whatever the file is, one interface more adds its bytes, and the loopback adds none.
func FuzzParse(f *testing.F) {
	f.Add([]byte(headings+interfaceLine("eth0", 1906, 126)), uint64(1), uint64(2))
	f.Add([]byte(headings+"  eth0:1906 9 0 0 0 0 0 0 126 3 0 0 0 0 0 0\n"), uint64(math.MaxUint64), uint64(0))
	f.Add([]byte(""), uint64(0), uint64(0))
	f.Fuzz(func(t *testing.T, file []byte, in, out uint64) {
		before, err := parse(file)
		if err != nil {
			t.Skip("no such file")
		}
		if len(file) > 0 && file[len(file)-1] != '\n' {
			file = append(file, '\n')
		}

		loop, err := parse(append(file[:len(file):len(file)], interfaceLine("lo", in, out)...))
		if err != nil || loop != before {
			t.Fatalf("%d became %d with the loopback: %v", before, loop, err)
		}

		after, err := parse(append(file[:len(file):len(file)], interfaceLine("more", in, out)...))
		if errors.Is(err, errSum) {
			if before <= math.MaxUint64/2 && in <= math.MaxUint64/4 && out <= math.MaxUint64/4 {
				t.Fatalf("%d, %d and %d are too large", before, in, out)
			}
			return
		}
		if err != nil || after != before+in+out {
			t.Fatalf("%d became %d with %d and %d: %v", before, after, in, out, err)
		}
	})
}

func FuzzParseStart(f *testing.F) {
	f.Add("a) S 1 (b", uint64(50))
	f.Fuzz(func(t *testing.T, name string, ticks uint64) {
		stat := "42 (" + name + ") S 1 1 1 0 -1 0 0 0 0 0 5 6 0 0 20 0 3 0 " + fmt.Sprint(ticks) + " 4096000 50 0 0\n"
		got, err := parseStart([]byte(stat))
		if ticks > math.MaxUint64/tickUS {
			if err == nil {
				t.Fatalf("%d ticks are %d µs", ticks, got)
			}
			return
		}
		if err != nil || got != ticks*tickUS {
			t.Fatalf("%d ticks are %d µs: %v", ticks, got, err)
		}
	})
}

func TestAStatThatIsCutOff(t *testing.T) {
	for _, stat := range []string{"", "42", "42 (x) S 1 1 1", "42 (x) S" + strings.Repeat(" 1", 18), "42 (x) S" + strings.Repeat(" x", 20)} {
		if got, err := parseStart([]byte(stat)); err == nil {
			t.Errorf("%q: %d", stat, got)
		}
	}
}
