package oracle

import (
	"flag"
	"os"
	"testing"
)

// Cases a property: by default thousands in all, so that they take a few seconds together; in a soak a hundred
// thousand each, millions in all.
const (
	casesDefault = "500"
	casesSoak    = "100000"
)

func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "rapid.checks" })
	if !chosen {
		cases := casesDefault
		if os.Getenv("GESTOR_SOAK") == "1" {
			cases = casesSoak
		}
		if err := flag.Set("rapid.checks", cases); err != nil {
			panic(err)
		}
	}

	os.Exit(m.Run())
}
