package population_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain sets how many histories are drawn, unless -rapid.checks says so.
func TestMain(m *testing.M) {
	flag.Parse()
	checks := "2000"
	if os.Getenv("GESTOR_SOAK") != "" {
		checks = "500000"
	}
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "rapid.checks" })
	if !chosen {
		if err := flag.Set("rapid.checks", checks); err != nil {
			panic(err)
		}
	}

	os.Exit(m.Run())
}
