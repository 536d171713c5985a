package facts_test

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gestor.local/manager/internal/facts"
)

// monday is a wall time; the dates of the tests are reckoned from it.
const monday = int64(1_800_000_000_000_000)

func us(d time.Duration) int64 { return d.Microseconds() }

// clocks are a host's clocks, read step by step.
type clocks struct {
	clock facts.Clock
	boot  string
	// bootAt is when the host booted in true time, now is true time, wrong how far the wall clock is ahead of it.
	bootAt, now, wrong int64
	raised             int64 // since the test began
}

func newClocks(up time.Duration) *clocks {
	return &clocks{boot: "a", bootAt: monday - us(up), now: monday}
}

func upForAnHour() *clocks { return newClocks(time.Hour).after(0) }

// after lets time pass and reads.
func (c *clocks) after(d time.Duration) *clocks {
	c.now += us(d)
	next, raised := c.clock.Advance(facts.Reading{BootID: c.boot, BootUS: uint64(c.now - c.bootAt), WallUS: c.now + c.wrong})
	c.clock, c.raised = next, c.raised+raised
	return c
}

// ticks reads each 10 s for so long.
func (c *clocks) ticks(d time.Duration) *clocks {
	for range d / (10 * time.Second) {
		c.after(10 * time.Second)
	}
	return c
}

// off powers the host off, for so long; the next reading is one second after it booted.
func (c *clocks) off(d time.Duration) *clocks {
	c.boot += "+"
	c.bootAt = c.now + us(d)
	c.now = c.bootAt
	return c.after(time.Second)
}

func TestClock(t *testing.T) {
	for name, test := range map[string]struct {
		run     func() *clocks
		behind  time.Duration // true time less G
		raised  time.Duration
		inDoubt bool
	}{
		"a start on a host that is up": {func() *clocks { return upForAnHour() }, 0, 0, false},
		"a start soon after boot":      {func() *clocks { return newClocks(time.Minute).after(0) }, 0, 0, true},
		"ten minutes after boot":       {func() *clocks { return newClocks(time.Minute).after(0).ticks(9 * time.Minute) }, 0, 0, false},
		"an hour later":                {func() *clocks { return upForAnHour().ticks(time.Hour) }, 0, 0, false},

		"a reboot":              {func() *clocks { return upForAnHour().off(3 * time.Hour) }, 3 * time.Hour, 0, true},
		"nine minutes after it": {func() *clocks { return upForAnHour().off(3 * time.Hour).ticks(9 * time.Minute) }, 3 * time.Hour, 0, true},
		"ten minutes after it":  {func() *clocks { return upForAnHour().off(3 * time.Hour).ticks(10 * time.Minute) }, 0, 3 * time.Hour, false},
		"a weekend off": {
			func() *clocks { return upForAnHour().off(62 * time.Hour).ticks(time.Hour) }, 38 * time.Hour, 24 * time.Hour, false,
		},
		"two boots within a day": {
			func() *clocks { return upForAnHour().off(time.Hour).off(time.Hour).ticks(time.Hour) }, 0, 2 * time.Hour, false,
		},
		"a manager that starts an hour after the reboot": {func() *clocks {
			c := upForAnHour()
			c.boot, c.bootAt = "b", c.now+us(30*time.Second)
			return c.after(time.Hour)
		}, 0, 30 * time.Second, false},

		"the wall clock was set ahead": {func() *clocks {
			c := upForAnHour()
			c.wrong = us(5 * time.Minute)
			return c.after(10 * time.Second)
		}, 0, 0, true},
		"and stays so for nine minutes": {func() *clocks {
			c := upForAnHour()
			c.wrong = us(5 * time.Minute)
			return c.after(10 * time.Second).ticks(9 * time.Minute)
		}, 0, 0, true},
		"and stays so for ten": {func() *clocks {
			c := upForAnHour()
			c.wrong = us(5 * time.Minute)
			return c.after(10 * time.Second).ticks(10 * time.Minute)
		}, -5 * time.Minute, 5 * time.Minute, false},
		"set years ahead": {func() *clocks {
			c := upForAnHour()
			c.wrong = us(9000 * time.Hour)
			return c.ticks(time.Hour)
		}, -24 * time.Hour, 24 * time.Hour, false},
		"set years ahead twice": {func() *clocks {
			c := upForAnHour()
			c.wrong = us(9000 * time.Hour)
			c.ticks(time.Hour)
			c.wrong = us(19000 * time.Hour)
			return c.ticks(time.Hour)
		}, -24 * time.Hour, 24 * time.Hour, false},
		"set back": {func() *clocks {
			c := upForAnHour()
			c.wrong = -us(5 * time.Minute)
			return c.ticks(time.Hour)
		}, 0, 0, false},
		"set by less than a minute": {func() *clocks {
			c := upForAnHour()
			c.wrong = us(59 * time.Second)
			return c.after(10 * time.Second)
		}, 0, 0, false},
		"set to and fro": {func() *clocks {
			c := upForAnHour()
			for range 20 {
				c.wrong += us(5 * time.Minute)
				c.ticks(5 * time.Minute)
			}
			return c
		}, 0, 0, true},
		"it drifts by a second in an hour, for a week": {func() *clocks {
			c := upForAnHour()
			for range 7 * 24 {
				c.wrong += us(time.Second)
				c.ticks(time.Hour)
				if c.clock.InDoubt {
					break
				}
			}
			return c
		}, 0, 0, false},
	} {
		c := test.run()
		if c.clock.InDoubt != test.inDoubt || c.raised != us(test.raised) {
			t.Errorf("%s: in doubt %t, raised by %s", name, c.clock.InDoubt, time.Duration(c.raised)*time.Microsecond)
		}
		if behind := c.now - c.clock.LastGUS; behind != us(test.behind) {
			t.Errorf("%s: %s behind, want %s", name, time.Duration(behind)*time.Microsecond, test.behind)
		}
	}
}

// Whatever the wall clock says G never falls, and within a boot it goes on with the boot clock but for what is said to be raised.
func TestGNeverFallsAndIsRaisedByADayABoot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c facts.Clock
		r := facts.Reading{BootID: "0", BootUS: rapid.Uint64Range(0, 1<<40).Draw(t, "up"), WallUS: monday}
		last, raisedInBoot := facts.Reading{}, int64(0)

		for n := range 60 {
			before := c
			next, raised := c.Advance(r)
			c = next
			if last.BootID != r.BootID {
				raisedInBoot = 0
			}
			raisedInBoot += raised
			if raised < 0 || raisedInBoot > us(24*time.Hour) || raised > 0 && c.InDoubt {
				t.Fatalf("raised by %d, by %d in this boot", raised, raisedInBoot)
			}

			if n > 0 && c.LastGUS < before.LastGUS {
				t.Fatalf("G fell from %d to %d", before.LastGUS, c.LastGUS)
			}
			if grown := c.LastGUS - before.LastGUS; n > 0 && last.BootID == r.BootID && grown != int64(r.BootUS-last.BootUS)+raised {
				t.Fatalf("G grew by %d in %d", grown, r.BootUS-last.BootUS)
			}
			if c.LastGUS != c.BootGUS+int64(r.BootUS) {
				t.Fatalf("%d after boot at %d it is %d", r.BootUS, c.BootGUS, c.LastGUS)
			}

			last = r
			step := rapid.Uint64Range(0, 1<<31).Draw(t, "step")
			r.BootUS += step
			r.WallUS += int64(step)
			switch rapid.IntRange(0, 5).Draw(t, "event") {
			case 0:
				r.WallUS += rapid.Int64Range(-1<<45, 1<<45).Draw(t, "set")
			case 1:
				r.BootID, r.BootUS = r.BootID+"+", rapid.Uint64Range(0, 1<<31).Draw(t, "boot")
			}
		}
	})
}

// What is kept of the clock is all there is to it.
func TestAClockFromItsTextGoesOn(t *testing.T) {
	c := upForAnHour().off(3 * time.Hour).ticks(5 * time.Minute)
	text, err := json.Marshal(c.clock)
	if err != nil {
		t.Fatal(err)
	}

	var again facts.Clock
	if err := json.Unmarshal(text, &again); err != nil || again != c.clock {
		t.Errorf("%v: %s became %+v", err, text, again)
	}
}
