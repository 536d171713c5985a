package manager

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"

	"gestor.local/e2e/scenario"
)

// leak is what the test reads of a survey.
type leak struct {
	Kinds []struct {
		Kind    string `json:"kind"`
		Tool    string `json:"tool"`
		Members []struct {
			ID   string `json:"id"`
			Held struct {
				MemoryKB         *uint64 `json:"memory_kb"`
				LayerBytes       *int64  `json:"layer_bytes"`
				AnonymousVolumes int     `json:"anonymous_volumes"`
			} `json:"held"`
		} `json:"members"`
	} `json:"kinds"`
	Parked []struct {
		ID  string   `json:"id"`
		Why []string `json:"why"`
	} `json:"parked"`
	Missing []string `json:"missing"`
}

// SurveyNamesWhatLeaks has a host that leaks in every way. The survey finds each container as what it is, and a database that has ended
// on purpose parked; what it proposes is a policy; and it has touched nothing.
func SurveyNamesWhatLeaks(h *scenario.Suite) {
	h.Helper()
	w := newHost(h)
	want := startLeaks(w)
	before := w.stillStates()

	text, said, code := h.Command(nil, "survey", "--older-than", "1s", "--json")
	if code != 10 {
		h.Fatalf("exit code %d, want 10: something leaks\n%s", code, said)
	}
	var s leak
	if err := json.Unmarshal(text, &s); err != nil {
		h.Fatalf("%v in\n%s", err, text)
	}
	if len(s.Missing) > 0 {
		h.Errorf("missing: %q", s.Missing)
	}
	for name, kinds := range want {
		if got := s.kindsOf(w.ids[name]); !slices.Equal(got, kinds) {
			h.Errorf("%s is %q, want %q", name, got, kinds)
		}
	}
	s.checkHeld(w)
	if h.Failed() {
		h.Logf("%s", text)
	}

	w.checkDraft()
	w.unchanged("after the survey", before)
}

// startLeaks starts what leaks, and says as what each is to be found.
func startLeaks(w *host) map[string][]string {
	w.Helper()
	h := w.Suite
	const act = "catthehacker/ubuntu:act-e2e"
	if err := h.Engine.Client.ImageTag(h.Context(), h.Image, act); err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { w.removeLeaks(act) })

	// What has no number of MiB to hold ends at once, with a code that is no success.
	fails := func(config *container.Config, _ *container.HostConfig) { config.Cmd = []string{"x"} }
	again := func(_ *container.Config, host *container.HostConfig) {
		host.RestartPolicy.Name = container.RestartPolicyOnFailure
	}
	limited := func(_ *container.Config, host *container.HostConfig) { host.Memory = 64 << 20 }

	start := func(name string, g guest) {
		g.stranger = true
		w.start(name, g)
	}
	start("test", guest{labels: map[string]string{"org.testcontainers": "true"}, edit: limited})
	start("act", guest{image: act, edit: limited})
	start("web", guest{labels: composed(h.Name+"-shop", "web", "", nil), edit: limited})
	start("idle", guest{edit: limited})
	start("unlimited", guest{busy: true})
	start("at-work", guest{busy: true, edit: limited})
	start("loop", guest{edit: edits(fails, again, limited)})
	start("ended", guest{edit: edits(fails, limited)})
	start("volume", guest{edit: edits(fails, limited, w.withVolumes(""))})
	start("database", guest{edit: edits(fails, limited, w.withVolumes("data"))})
	w.create("never", guest{stranger: true, edit: limited})
	for _, name := range []string{"ended", "volume", "database"} {
		w.awaitExited(name)
	}
	scenario.Eventually(h.TB, scenario.Soon, "all are a second old", func() error {
		if c, _ := w.inspect("never"); !olderThan(c.Created, 2*time.Second) {
			return fmt.Errorf("created %s", c.Created)
		}
		return nil
	})

	return map[string][]string{
		"test": {"testcontainers"}, "act": {"act"}, "web": {"project"}, "idle": {"idle"}, "unlimited": {"no_memory_limit"}, "at-work": nil,
		"loop": {"restarting"}, "ended": {"ended"}, "never": {"created"},
		"volume": {"anonymous_volumes", "parked: anonymous_volume"}, "database": {"parked: named_volume"},
	}
}

func olderThan(text string, age time.Duration) bool {
	at, err := time.Parse(time.RFC3339Nano, text)
	return err == nil && time.Since(at) > age
}

// removeLeaks removes what the engine would keep after the containers.
func (w *host) removeLeaks(tag string) {
	ctx := context.Background() // the test's has ended
	for _, id := range w.ids {
		_ = w.Engine.Client.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	}
	if err := w.Engine.Client.VolumeRemove(ctx, w.FullName("data"), true); err != nil {
		w.Errorf("the volume stays: %v", err)
	}
	if _, err := w.Engine.Client.ImageRemove(ctx, tag, image.RemoveOptions{}); err != nil {
		w.Errorf("the tag stays: %v", err)
	}
}

// stillStates are the states of those that are not in a loop.
func (w *host) stillStates() map[string]string {
	w.Helper()
	states := w.states()
	delete(states, "loop")
	return states
}

// kindsOf is as what a container was found, the tool's name for the kind tool, sorted.
func (s *leak) kindsOf(id string) (kinds []string) {
	for _, k := range s.Kinds {
		for _, m := range k.Members {
			if m.ID != id {
				continue
			}
			if k.Tool != "" {
				kinds = append(kinds, k.Tool)
			} else {
				kinds = append(kinds, k.Kind)
			}
		}
	}
	for _, p := range s.Parked {
		if p.ID == id {
			kinds = append(kinds, "parked: "+strings.Join(p.Why, " "))
		}
	}
	slices.Sort(kinds)
	return kinds
}

// checkHeld looks at what is held: memory by who runs, a layer by who does not.
func (s *leak) checkHeld(w *host) {
	w.Helper()
	for _, k := range s.Kinds {
		for _, m := range k.Members {
			switch m.ID {
			case w.ids["idle"]:
				if m.Held.MemoryKB == nil || *m.Held.MemoryKB < 1024 {
					w.Errorf("the idle one holds 1 MiB: %+v", m.Held)
				}
			case w.ids["ended"]:
				if m.Held.LayerBytes == nil {
					w.Errorf("the layer of the ended one is not known: %+v", m.Held)
				}
			case w.ids["volume"]:
				if m.Held.AnonymousVolumes != 1 {
					w.Errorf("the one with a volume: %+v", m.Held)
				}
			}
		}
	}
}

// checkDraft writes the proposed policy to a file: as it is it owns nobody, uncommented it is valid and names the parked nowhere.
func (w *host) checkDraft() {
	w.Helper()
	text, said, code := w.Command(nil, "survey", "--older-than", "1s", "--yaml")
	if code != 10 {
		w.Fatalf("exit code %d\n%s", code, said)
	}

	path := filepath.Join(w.TempDir(), "host.yaml")
	check := func(text []byte) string {
		w.Helper()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			w.Fatal(err)
		}
		out, said, code := w.Command(nil, "check-policy", path)
		if code != 0 {
			w.Fatalf("check-policy: exit code %d\n%s\n%s", code, said, text)
		}
		return string(out)
	}
	if out := check(text); !strings.Contains(out, "It needs no approval: it owns nothing.") {
		w.Errorf("as it is written:\n%s", out)
	}

	out := check(regexp.MustCompile(`(?m)^  #`).ReplaceAll(text, []byte("  ")))
	for _, name := range []string{"database", "volume"} {
		if strings.Contains(out, w.FullName(name)) {
			w.Errorf("the policy speaks of %s, which is parked:\n%s", name, out)
		}
	}
	if !strings.Contains(out, w.FullName("ended")) && !strings.Contains(out, "ended: containers of image") {
		w.Errorf("the policy does not speak of who has ended:\n%s", out)
	}
}
