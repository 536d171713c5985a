package manager

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"gestor.local/e2e/scenario"
)

func TestSurveyNamesWhatLeaks(t *testing.T) {
	SurveyNamesWhatLeaks(newFixture(t).Suite)
}

// Without the host's processes the engine alone answers: what it knows is said, and what is missing.
func TestSurveyOfTheEngineAlone(t *testing.T) {
	h := scenario.NewSuite(t, scenario.NewEngine(t), programs, payloadImage)
	t.Setenv("GESTOR_PROC", t.TempDir())
	w := newHost(h)
	w.start("unlimited", guest{stranger: true})

	text, said, code := h.Command(nil, "survey", "--json")
	var s leak
	if err := json.Unmarshal(text, &s); err != nil || code != 10 {
		t.Fatalf("exit code %d, %v\n%s", code, err, said)
	}
	if kinds := s.kindsOf(w.ids["unlimited"]); !slices.Equal(kinds, []string{"no_memory_limit"}) {
		t.Errorf("it is %q", kinds)
	}
	if len(s.Missing) != 1 || !strings.HasPrefix(s.Missing[0], "CPU and memory") {
		t.Errorf("missing: %q", s.Missing)
	}
}
