package main

import (
	"os"
	"sync"
	"syscall"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/policyfile"
)

// policyFile is the file of GESTOR_POLICY as it was at the last poll. Without the setting the default policy stays; where no such file is,
// nobody is touched until there is one.
type policyFile struct {
	cfg config
	// onlyShown is that nobody carries the policy out: then it needs no suite.
	onlyShown bool

	mu   sync.Mutex // guards all following fields
	last fileState
	// version2 is the last valid policy where that is of version 2, and approved the approval beside it; a policy of version 1 has
	// none, and its file is not looked at.
	version2 *policy2.Policy
	approved fileState
}

// fileState identifies the contents of a file. A changed mode is a change too: a file that could not be read may be
// readable now.
type fileState struct {
	inode            uint64
	size             int64
	modified, status syscall.Timespec
	err              string
}

// newPolicyFile remembers the file as it is now, before anybody reads the policy from it: whoever reads it next reads this state of
// it or a later one, which the next poll finds.
func newPolicyFile(cfg config) *policyFile {
	return &policyFile{cfg: cfg, last: fileStateOf(cfg.Policy)}
}

// Poll reads the file when it has changed since the last poll, or its approval has, or when it is to be read anew.
func (f *policyFile) Poll(anew bool) (r govern.PolicyUpdate, changed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := fileStateOf(f.cfg.Policy)
	if !anew && !f.changed(now) {
		return govern.PolicyUpdate{}, false
	}

	f.last = now
	return f.read(), true
}

// Stale says whether a poll would find a change.
func (f *policyFile) Stale() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed(fileStateOf(f.cfg.Policy))
}

// changed says whether the file, which is like this now, or the approval of a policy of version 2 is another than at the last poll.
func (f *policyFile) changed(now fileState) bool {
	return now != f.last || f.version2 != nil && f.approved != fileStateOf(policyfile.ApprovedPath(f.cfg.Policy))
}

// read reads the policy, and the approval of one of version 2. Where the policy is refused the update has the approval of the one
// before: it may have been taken back.
func (f *policyFile) read() (r govern.PolicyUpdate) {
	document, missing, err := f.cfg.document()
	if err == nil && !f.onlyShown {
		err = f.cfg.checkSuite(document)
	}
	switch {
	case err != nil:
		r.Err = err
	case document.V2 != nil:
		f.version2 = document.V2
	default:
		r.Policy, f.version2 = *document.V1, nil
	}
	if f.version2 == nil {
		return r
	}

	// Its state before its text, as with the policy.
	path := policyfile.ApprovedPath(f.cfg.Policy)
	f.approved = fileStateOf(path)
	r.Version2 = &govern.Version2{Policy: *f.version2}
	if missing {
		r.Version2.Missing = f.cfg.Policy
	}
	if r.Version2.Approved, err = policyfile.LoadApproved(path); err != nil {
		r.Version2.ApprovalError = err.Error()
	}
	return r
}

func fileStateOf(path string) fileState {
	if path == "" {
		return fileState{}
	}
	info, err := os.Stat(path)
	if err != nil {
		return fileState{err: err.Error()}
	}

	s := fileState{size: info.Size()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		s.inode, s.modified, s.status = sys.Ino, sys.Mtim, sys.Ctim
	}
	return s
}
