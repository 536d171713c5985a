package scenario

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
)

// PolicyFolder holds a policy of version 2 and, once a person has approved it, the document that says so.
type PolicyFolder struct {
	// Path is the policy's, Setting leads a manager to it.
	Path, Setting string

	h        *Suite
	approved string // path of the document
}

// NewPolicyFolder writes a policy.
func (h *Suite) NewPolicyFolder(text string) *PolicyFolder {
	h.Helper()
	dir := h.TempDir()
	f := &PolicyFolder{h: h, Path: filepath.Join(dir, "policy.yaml"), approved: filepath.Join(dir, "approved.json")}
	f.Setting = "GESTOR_POLICY=" + f.Path
	f.Write(text)
	return f
}

// Write puts another policy in the place of the one there, as a whole: a manager may look at any moment.
func (f *PolicyFolder) Write(text string) {
	f.h.Helper()
	f.replace(f.Path, []byte(text))
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
	const somethingToDo = 10
	text, said, code := p.Command(nil, "policy-plan", "--sizes", "--json")
	if code != 0 && code != somethingToDo {
		p.h.Fatalf("policy-plan: exit code %d\n%s", code, said)
	}

	var review struct {
		Own []struct{} `json:"own_containers"`
	}
	if err := json.Unmarshal(text, &review); err != nil {
		p.h.Fatalf("policy-plan: %v\n%s", err, text)
	}

	document, said, code := p.Command(text, "approval", "--who", "somebody@e2e", "--own-count", strconv.Itoa(len(review.Own)), f.Path)
	if code != 0 {
		p.h.Fatalf("approval: exit code %d\n%s", code, said)
	}
	return document
}
