package contract_test

import (
	"os"
	"regexp"
	"testing"

	"gestor.local/contract"
)

// Whoever reads the version, in a program, in the repository's root or on an image, reads the same.
func TestTheVersionIsTheSameEverywhere(t *testing.T) {
	if !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(contract.Version) {
		t.Errorf("%q is not MAJOR.MINOR.PATCH", contract.Version)
	}

	root, err := os.ReadFile("../../VERSION")
	if err != nil || string(root) != contract.Version+"\n" {
		t.Errorf("VERSION in the root: %q, %v; want %s", root, err, contract.Version)
	}

	dockerfile, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^ARG VERSION=(.*)$`).FindAllSubmatch(dockerfile, -1) {
		if string(m[1]) == contract.Version {
			return
		}
		t.Errorf("services/Dockerfile labels the images %s, want %s", m[1], contract.Version)
	}
	t.Error("services/Dockerfile labels no image with the version (ARG VERSION=…)")
}
