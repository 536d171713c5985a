package rulestest_test

import (
	"flag"
	"os"
	"testing"
)

// Cases a property, each of which is a world of hours: by default some seconds for all of them together, in a soak hours.
const (
	casesDefault = "60"
	casesRace    = "8"
	casesSoak    = "20000"
)

func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "rapid.checks" })
	if !chosen {
		cases := casesDefault
		switch {
		case os.Getenv("GESTOR_SOAK") == "1":
			cases = casesSoak
		case isRace:
			cases = casesRace
		}
		if err := flag.Set("rapid.checks", cases); err != nil {
			panic(err)
		}
	}

	os.Exit(m.Run())
}
