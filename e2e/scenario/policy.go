package scenario

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// PolicyFolder holds a policy of version 2 and, once a person has approved it, the document that says so.
type PolicyFolder struct {
	// Setting leads a manager to the policy.
	Setting string

	h        *Suite
	policy   string // path of the policy
	approved string // path of the document
}

// NewPolicyFolder writes a policy.
func (h *Suite) NewPolicyFolder(text string) *PolicyFolder {
	h.Helper()
	dir := h.TempDir()
	f := &PolicyFolder{h: h, policy: filepath.Join(dir, "policy.yaml"), approved: filepath.Join(dir, "approved.json")}
	f.Setting = "GESTOR_POLICY=" + f.policy
	f.Write(text)
	return f
}

// Write puts another policy in the place of the one there, as a whole: a manager may look at any moment.
func (f *PolicyFolder) Write(text string) {
	f.h.Helper()
	f.replace(f.policy, []byte(text))
}

// Approve puts a document into place.
func (f *PolicyFolder) Approve(document []byte) {
	f.h.Helper()
	f.replace(f.approved, document)
}

// TakeBack removes the document.
func (f *PolicyFolder) TakeBack() {
	f.h.Helper()
	if err := os.Remove(f.approved); err != nil {
		f.h.Fatal(err)
	}
}

func (f *PolicyFolder) replace(path string, text []byte) {
	f.h.Helper()
	next := path + ".new"
	if err := errors.Join(os.WriteFile(next, text, 0o600), os.Rename(next, path)); err != nil {
		f.h.Fatal(err)
	}
}

// Document makes the document that approves the policy in the folder, as scripts/approve.sh does: the running manager's plan, read by
// the command approval in a process of its own.
func (p *Manager) Document(f *PolicyFolder) []byte {
	p.h.Helper()
	plan := p.command("policy-plan", "--sizes", "--json")
	var said bytes.Buffer
	plan.Stderr = &said
	text, err := plan.Output()
	const somethingToDo = 10
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != somethingToDo) {
		p.h.Fatalf("policy-plan: %v\n%s", err, said.String())
	}

	var review struct {
		Own []struct{} `json:"own_containers"`
	}
	if err := json.Unmarshal(text, &review); err != nil {
		p.h.Fatalf("policy-plan: %v\n%s", err, text)
	}

	said.Reset()
	approval := p.command("approval", "--who", "somebody@e2e", "--own-count", strconv.Itoa(len(review.Own)), f.policy)
	approval.Stdin, approval.Stderr = bytes.NewReader(text), &said
	document, err := approval.Output()
	if err != nil {
		p.h.Fatalf("approval: %v\n%s", err, said.String())
	}
	return document
}

// command is another command of the manager with the settings of the running one.
func (p *Manager) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(p.h.Context(), p.h.Programs.Manager, args...)
	cmd.Env = p.cmd.Env
	return cmd
}
