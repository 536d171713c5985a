package policy2_test

import (
	"strings"
	"testing"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

func imageSelector(glob string) policy2.Selector { return policy2.Selector{Image: []string{glob}} }

func TestImageSelector(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("0f", 32)
	for _, test := range []struct {
		glob, image string
		matches     policy2.Truth
		protects    bool
	}{
		{"redis", "redis", yes, true},
		{"redis", "redis:7", yes, true},
		{"redis", "redis" + digest, yes, true},
		{"redis", "redis:7" + digest, yes, true},
		{"redis", "docker.io/library/redis:7", yes, true},
		{"redis", "docker.io/redis", yes, true},
		{"redis", "library/redis", yes, true},
		{"docker.io/library/redis", "redis:7", yes, true},
		{"library/redis:7", "redis:7", yes, true},
		{"redis", "Redis", no, false},

		// With a tag: that tag, and a reference without one has the tag latest.
		{"redis:7", "redis:7", yes, true},
		{"redis:7", "redis:7" + digest, yes, true},
		{"redis:7", "redis:8", no, false},
		{"redis:7", "redis", no, false},
		{"redis:latest", "redis", yes, true},
		{"redis:*", "redis", yes, true},
		{"redis:7", "redis" + digest, no, true}, // its tag is not known
		{"redis" + digest, "redis:7" + digest, yes, true},
		{"redis@*", "redis:7", no, false},

		// A port is no tag.
		{"localhost:5000/app", "localhost:5000/app:1", yes, true},
		{"localhost:5000/app:2", "localhost:5000/app:1", no, false},
		{"registry.example/*", "registry.example/acme/web:pr-7", yes, true},

		// Another registry, or somebody's copy, is another image, but to protect.
		{"redis*", "bitnami/redis:7", no, true},
		{"redis*", "registry.example/acme/redis" + digest, no, true},
		{"redis:7", "bitnami/redis:7", no, true},
		{"bitnami/redis", "registry.example/bitnami/redis", no, false},
		{"*redis*", "bitnami/redis:7", yes, true},

		// Who names the default registry does not mean the others.
		{"docker.io/*", "acme/web", yes, true},
		{"docker.io/*", "registry.example/acme/web", no, true},
		{"library/*", "acme/web", no, true},
		{"library/*", "redis", yes, true},

		// What podman puts before the name of an image that was built here.
		{"app", "localhost/app:latest", yes, true},
		{"localhost/*", "localhost/app:latest", yes, true},
		{"localhost/*", "app", no, false},

		// Only an id, which says nothing.
		{"*", "sha256:" + strings.Repeat("0f", 32), unknown, true},
		{"redis", strings.Repeat("0f", 32), unknown, true},
		{"redis", "0123456789ab", unknown, true},
		{"redis", "", unknown, true},
		{"0123456789abc", "0123456789abc", yes, true},
	} {
		s, id := imageSelector(test.glob), &policy2.Identity{Image: test.image}
		if got := s.Matches(id, nil); got != test.matches {
			t.Errorf("%q of %q: %d, want %d", test.glob, test.image, got, test.matches)
		}

		p := policy2.Policy{Protect: []policy2.Selector{s}}
		if _, got := p.Protects(id, policy2.Suite{}); got != test.protects {
			t.Errorf("%q protects %q: %t", test.glob, test.image, got)
		}
	}
}

func TestClassOf(t *testing.T) {
	images := map[string]contract.Class{
		"gestor/high-cpu": "high", "gestor/high-cpu:slim": "low", "docker.io/library/busy:latest": "high", "busy": "low",
		"localhost/twice": "b", "docker.io/twice": "a", "pinned@sha256:1": "high",
	}
	for name, test := range map[string]struct {
		label, image string
		want         contract.Class
		truth        policy2.Truth
	}{
		"the label":                    {"batch-2", "gestor/high-cpu", "batch-2", yes},
		"the label of one by id":       {"low", "sha256:1", "low", yes},
		"a label that is no word":      {"Low", "gestor/high-cpu", "", no},
		"a label that is too long":     {strings.Repeat("a", 33), "gestor/high-cpu", "", no},
		"the image":                    {"", "gestor/high-cpu", "high", yes},
		"of podman":                    {"", "localhost/gestor/high-cpu:latest", "high", yes},
		"any tag":                      {"", "gestor/high-cpu:7@sha256:1", "high", yes},
		"its own tag":                  {"", "gestor/high-cpu:slim", "low", yes},
		"without a tag it is latest":   {"", "busy", "high", yes},
		"another tag than latest":      {"", "busy:1", "low", yes},
		"two ways to write one":        {"", "twice", "a", yes},
		"by digest":                    {"", "pinned@sha256:1", "high", yes},
		"by another digest":            {"", "pinned@sha256:2", "", no},
		"an image that is not there":   {"", "gestor/high", "", no},
		"only an id":                   {"", "sha256:1", "", unknown},
		"an image that nobody told us": {"", "", "", unknown},
	} {
		id := &policy2.Identity{Image: test.image, Labels: map[string]string{}}
		if test.label != "" {
			id.Labels[contract.LabelClass] = test.label
		}
		p := policy2.Policy{Images: images}
		if got, truth := p.ClassOf(id); got != test.want || truth != test.truth {
			t.Errorf("%s: %q, %d; want %q, %d", name, got, truth, test.want, test.truth)
		}
	}

	if _, truth := (&policy2.Policy{}).ClassOf(&policy2.Identity{}); truth != policy2.False {
		t.Errorf("without images there is nothing that an id hides: %d", truth)
	}
}
