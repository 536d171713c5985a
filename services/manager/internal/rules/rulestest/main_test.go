package rulestest_test

import (
	"flag"
	"os"
	"testing"
)

// Cases a property, each of which is a world of hours: by default some seconds for all of them together, in a soak, which
// runs with the race detector, some minutes each.
const (
	casesDefault = "60"
	casesRace    = "8"
	casesSoak    = "2000"
)

func TestMain(m *testing.M) {
	flag.Parse()
	set("rapid.nofailfile", "true") // the seed that a failure prints is enough to draw its case again

	chosen := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { chosen[f.Name] = true })
	soak := os.Getenv("GESTOR_SOAK") == "1"
	switch {
	case chosen["rapid.checks"]:
	case soak:
		set("rapid.checks", casesSoak)
	case isRace:
		set("rapid.checks", casesRace)
	default:
		set("rapid.checks", casesDefault)
	}

	// A plain run draws the same worlds each time, and says of a change whether it broke one; what is rare is the soak's to find.
	if !soak && !chosen["rapid.seed"] && !chosen["rapid.checks"] {
		set("rapid.seed", "20261130")
	}
	os.Exit(m.Run())
}

func set(name, value string) {
	if err := flag.Set(name, value); err != nil {
		panic(err)
	}
}
