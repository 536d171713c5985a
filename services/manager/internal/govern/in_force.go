package govern

import "sync"

// inForce says to those who act and tell beside the loop whether what they were given is still what lies on the disk. The zero value is that
// of a policy without a source, which stays.
type inForce struct {
	mu       sync.RWMutex // held for writing from the question for another policy until all have been told of it
	policies PolicySource
}

// poll asks for another policy and applies it. Meanwhile ask waits: an update that was taken from the source and that nobody has been told
// of yet would look like none.
func (f *inForce) poll(anew bool, apply func(PolicyUpdate) bool) (reschedule bool) {
	if f.policies == nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	u, changed := f.policies.Poll(anew)
	return changed && apply(u)
}

// ask calls back with whether the file of the policy, or its approval, has changed since the loop has looked at it. It may be called from
// any goroutine but the loop's.
func (f *inForce) ask(do func(stale bool)) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	do(f.policies != nil && f.policies.Stale())
}

// isStale is ask for its answer alone.
func (f *inForce) isStale() (is bool) {
	f.ask(func(stale bool) { is = stale })
	return is
}
