package manager

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"gestor.local/contract/policy2"
	"gestor.local/e2e/scenario"
)

// reviewed is what the test reads of the JSON of policy-plan --sizes.
type reviewed struct {
	OwnContainers []struct {
		Name             string `json:"name"`
		OwnLayerBytes    *int64 `json:"own_layer_bytes"`
		AnonymousVolumes *int   `json:"anonymous_volumes"`
	} `json:"own_containers"`
	Protects []struct {
		Containers int `json:"containers"`
	} `json:"protects"`
	Manager *struct {
		Policy string `json:"policy"`
	} `json:"manager"`
}

// writeInto puts a file of so many bytes into the container's own layer.
func (s suite) writeInto(id string, size int64) {
	s.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	err := w.WriteHeader(&tar.Header{Name: "file", Mode: 0o600, Size: size})
	if err == nil {
		_, err = w.Write(make([]byte, size))
	}
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = s.Engine.Client.CopyToContainer(s.Context(), id, "/", &archive, container.CopyToContainerOptions{})
	}
	if err != nil {
		s.Fatal(err)
	}
}

// The plan of a manager that runs, with what is on a real engine, becomes the document that approves its policy: with the plan's number
// and for the plan's policy, and not otherwise.
func TestApprovalOfTheRunningManagersPlan(t *testing.T) {
	s := newFixture(t)
	s.LongUptime(11 * time.Minute) // ages are unknown for ten minutes after the host's start, and nothing is approved
	labels := map[string]string{scenario.LabelTest: s.Name, "approval.own": s.Name}
	s.writeInto(s.Spawn("written", labels, 1), 3<<20)
	id := s.Run("volume", &container.Config{Image: s.Image, Cmd: []string{"1"}, Labels: labels, Volumes: map[string]struct{}{"/scratch": {}}},
		&container.HostConfig{NetworkMode: "none"})
	t.Cleanup(func() { // with its volume
		_ = s.Engine.Client.ContainerRemove(context.Background(), id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	})

	policy := func(days int) string {
		return fmt.Sprintf(`version: 2
tick: 2s
own: [{label: approval.own=%[1]s}]
protect: [{name: %[1]s-written}, {name: %[1]s-nobody}]
rules: [{name: old, when: {age: %[2]dd}, do: remove}]
`, s.Name, days)
	}
	folder := s.NewPolicyFolder(policy(3))
	m := s.StartManager("", folder.Setting)
	m.WaitTicks(4)

	plan, words, code := m.Command(nil, "policy-plan", "--sizes", "--json")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, words)
	}
	var read reviewed
	if err := json.Unmarshal(plan, &read); err != nil {
		t.Fatal(err)
	}
	if len(read.OwnContainers) != 2 || len(read.Protects) != 2 || read.Manager == nil {
		t.Fatalf("%s", plan)
	}
	volume, written := read.OwnContainers[0], read.OwnContainers[1]
	if n := volume.AnonymousVolumes; n == nil || *n != 1 {
		t.Errorf("one with an anonymous volume: %+v", volume)
	}
	if n := written.OwnLayerBytes; n == nil || *n < 3<<20 {
		t.Errorf("one that was written into: %+v", written)
	}
	if read.Protects[0].Containers != 1 || read.Protects[1].Containers != 0 {
		t.Errorf("protect covers %+v", read.Protects)
	}

	text, words, code := m.Command(plan, "approval", "--show", folder.Path)
	if code != 0 || !strings.Contains(string(text), "3.0 MiB own layer (protected: stays)") || !strings.Contains(string(text), "-nobody: PROTECTS NOTHING") {
		t.Errorf("%d %s%s", code, text, words)
	}

	for _, count := range []string{"1", "3"} {
		if text, words, code = m.Command(plan, "approval", "--who", "e2e", "--own-count", count, folder.Path); code != 1 || len(text) > 0 {
			t.Errorf("%s own containers: %d %s%s", count, code, text, words)
		}
	}
	text, words, code = m.Command(plan, "approval", "--who", "e2e", "--own-count", "2", folder.Path)
	document, err := policy2.ParseApproved(text)
	if code != 0 || err != nil || document.Hash != read.Manager.Policy || document.OwnCount != 2 {
		t.Fatalf("%d %v %s%s", code, err, text, words)
	}

	// The same plan for a policy that has changed meanwhile approves nothing.
	folder.Write(policy(4))
	if text, words, code = m.Command(plan, "approval", "--who", "e2e", "--own-count", "2", folder.Path); code != 1 || len(text) > 0 {
		t.Errorf("of another policy: %d %s%s", code, text, words)
	}
	m.Stop()
}
