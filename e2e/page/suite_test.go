package page

import (
	"os"
	"strings"
	"testing"
)

// TestRunningSuite looks at the page of the suite that GESTOR_URL names (http://127.0.0.1:8080), and keeps a picture of it
// in the file that GESTOR_PICTURE names.
func TestRunningSuite(t *testing.T) {
	where := strings.TrimSuffix(os.Getenv("GESTOR_URL"), "/")
	if where == "" {
		t.Skip("no running suite: set GESTOR_URL (the scenario in e2e/suite looks at the page of its own)")
	}
	CheckRunning(t, where, os.Getenv("GESTOR_PICTURE"))
}
