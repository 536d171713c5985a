package web

import (
	"flag"
	"os"
	"testing"
)

// Cases of a property: by default some seconds of them, in a soak thousands.
const (
	casesDefault = "25"
	casesSoak    = "10000"
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
