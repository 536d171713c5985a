package scrub

import (
	"strings"
	"testing"
)

func TestArgs(t *testing.T) {
	for in, want := range map[string]string{
		"app --password=hunter2 -v":          "app --password=*** -v",
		"app --password hunter2 -v":          "app --password *** -v",
		"app --token --verbose x":            "app --token --verbose x",
		"env API_KEY=k DB_PASS=p HOME=/root": "env API_KEY=*** DB_PASS=*** HOME=/root",
		"app --aws-secret-access-key=AKIA":   "app --aws-secret-access-key=***",
		"app --client-secret s --name n":     "app --client-secret *** --name n",
		"curl https://me:pw@host/x?a=b":      "curl https://me:***@host/x?a=b",
		"psql postgres://u:p@db:5432/x":      "psql postgres://u:***@db:5432/x",
		"curl http://host:8080/path@x":       "curl http://host:8080/path@x",
		"mysql --pass=x":                     "mysql --pass=***",
		"app --key k --keyboard us":          "app --key *** --keyboard us",
		"stress --cpu 1 --timeout 30":        "stress --cpu 1 --timeout 30",
		"app --Authorization=Bearer":         "app --Authorization=***",
		"":                                   "",
	} {
		if got := strings.Join(Args(strings.Split(in, " ")), " "); got != want {
			t.Errorf("Args(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestArgsLooksIntoAnArgumentThatIsACommandLine(t *testing.T) {
	got := Args([]string{"sh", "-c", "exec app --password hunter2 --port 80"})
	if want := "exec app --password *** --port 80"; got[2] != want {
		t.Errorf("got %q, want %q", got[2], want)
	}
}

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"psql --password=hunter2 -h db":     "psql --password=*** -h db",
		"app --api-key abc --port 80":       "app --api-key *** --port 80",
		"env DB_PASSWORD=x TOKEN='y z' run": "env DB_PASSWORD=*** TOKEN=*** run",
		"curl https://me:pw@host/x":         "curl https://me:***@host/x",
		"stress-ng --cpu 1 --timeout 60":    "stress-ng --cpu 1 --timeout 60",
	} {
		if got := Line(in); got != want {
			t.Errorf("Line(%q) = %q, want %q", in, got, want)
		}
		if again := Line(Line(in)); again != Line(in) {
			t.Errorf("Line of %q changes what it made: %q", in, again)
		}
	}
}
