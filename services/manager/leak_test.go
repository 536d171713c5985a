package main

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if by := os.Getenv(divisorKey); by != "" { // this program is the manager of a test in e2e
		os.Exit(runDivided(by, os.Stdout))
	}

	os.Setenv("NO_PROXY", "")
	os.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // nobody listens there; read once, by the first request of the process
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		os.Stderr.WriteString(err.Error() + "\n")
		code = 1
	}
	os.Exit(code)
}
