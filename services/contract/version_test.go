package contract_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"gestor.local/contract"
)

// Whoever reads the version, in a program, in the repository's root, of the kernel module or on an image, reads the same.
func TestTheVersionIsTheSameEverywhere(t *testing.T) {
	if !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(contract.Version) {
		t.Errorf("%q is not MAJOR.MINOR.PATCH", contract.Version)
	}

	for _, path := range []string{"../../VERSION", "../../kernel-module/VERSION"} {
		if text, err := os.ReadFile(path); err != nil || string(text) != contract.Version+"\n" {
			t.Errorf("%s: %q, %v; want %s", path, text, err, contract.Version)
		}
	}

	dockerfiles, err := filepath.Glob("../../stress-images/*/Dockerfile")
	if err != nil || len(dockerfiles) != 4 {
		t.Fatalf("the stress images: %q, %v", dockerfiles, err)
	}
	value := regexp.MustCompile(`(?m)^ARG VERSION=(.*)$`)
	label := regexp.MustCompile(`(?m)^LABEL org\.opencontainers\.image\.title=\S+ org\.opencontainers\.image\.version=\$VERSION \\\n` +
		` +org\.opencontainers\.image\.revision=\$REVISION$`)
	for path, images := range map[string]int{"../Dockerfile": 3, dockerfiles[0]: 1, dockerfiles[1]: 1, dockerfiles[2]: 1, dockerfiles[3]: 1} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if m := value.FindSubmatch(text); m == nil || string(m[1]) != contract.Version {
			t.Errorf("%s says %q, want ARG VERSION=%s", path, m, contract.Version)
		}
		if n := len(label.FindAll(text, -1)); n != images {
			t.Errorf("%s labels %d images with version and revision, want %d", path, n, images)
		}
	}
}
