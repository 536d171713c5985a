package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

func TestSurveyEndsWithTheNextStep(t *testing.T) {
	for name, test := range map[string]struct {
		engine string
		args   []string
		code   int
		says   string
	}{
		"no engine":        {"unix:///nonexistent", nil, exitEngine, "next: start the Docker engine"},
		"no address":       {"nonsense", nil, exitConfig, "GESTOR_ENGINE"},
		"two forms":        {"", []string{"--json", "--yaml"}, exitConfig, "not both"},
		"no age":           {"", []string{"--older-than", "-1s"}, exitConfig, "48h"},
		"an unknown flag":  {"", []string{"--all"}, exitConfig, "all"},
		"what is no flag":  {"", []string{"web"}, exitConfig, "web"},
		"a wrong duration": {"", []string{"--older-than", "3d"}, exitConfig, "older-than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GESTOR_ENGINE", test.engine)
			t.Setenv("GESTOR_STATE", "/nonexistent") // which it does not need

			var out, said bytes.Buffer
			code := dispatch(context.Background(), append([]string{"survey"}, test.args...), &out, &said)
			if code != test.code || out.Len() > 0 || !strings.Contains(said.String(), test.says) {
				t.Errorf("code %d, want %d with %q: %s%s", code, test.code, test.says, out.String(), said.String())
			}
		})
	}
}
