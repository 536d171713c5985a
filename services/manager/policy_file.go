package main

import (
	"os"
	"syscall"

	"gestor.local/manager/internal/govern"
)

// policyFile is the file of GESTOR_POLICY as it was at the last poll. Without a file the default policy stays.
type policyFile struct {
	cfg  config
	last fileState
}

// fileState identifies the contents of a file. A changed mode is a change too: a file that could not be read may be
// readable now.
type fileState struct {
	inode            uint64
	size             int64
	modified, status syscall.Timespec
	err              string
}

// newPolicyFile remembers the file as it is now: whoever reads it next reads this state of it or a later one, which the
// next poll finds.
func newPolicyFile(cfg config) *policyFile {
	return &policyFile{cfg: cfg, last: fileStateOf(cfg.Policy)}
}

// Poll reads the file when it has changed since the last poll, or when it is to be read anew.
func (f *policyFile) Poll(anew bool) (r govern.PolicyUpdate, changed bool) {
	now := fileStateOf(f.cfg.Policy)
	if now == f.last && !anew {
		return govern.PolicyUpdate{}, false
	}

	f.last = now
	r.Policy, r.Err = f.cfg.policy()
	return r, true
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
