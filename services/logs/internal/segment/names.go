package segment

import (
	"hash/fnv"
	"slices"
)

// idFilter is a set of containers by 32-bit hash: small enough to keep of every file, so that a question about one
// container loads the indexes of the files that have it alone. It may say yes wrongly, never no.
type idFilter struct {
	hashes []uint32
	any    bool // there are too many to keep them: whoever asks has to look
}

// nameBytes of an id are hashed: the length that Docker prints, by which people ask.
const nameBytes = 12

// Bounds of the hashes in memory: of one file, and of all together (16 MiB).
const (
	maxNames      = 16 << 10
	maxNamesOfAll = 4 << 20
)

// newFilter returns the containers of a file, as many as there is room for beside those of the others.
func (c *Cache) newFilter(containers map[string][]int32) idFilter {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(containers)
	if n > maxNames || c.hashes+n > maxNamesOfAll {
		return idFilter{any: true}
	}

	out := make([]uint32, 0, n)
	for id := range containers {
		out = append(out, hashName(id))
	}
	slices.Sort(out)
	out = slices.Clip(slices.Compact(out))
	c.hashes += len(out)
	return idFilter{hashes: out}
}

// release gives the room of a set back.
func (c *Cache) release(f idFilter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hashes -= len(f.hashes)
}

// mayContain says whether a container with one of the prefixes can be there. No prefix asks for all.
func (f idFilter) mayContain(prefixes []string) bool {
	return f.any || len(prefixes) == 0 || slices.ContainsFunc(prefixes, func(p string) bool {
		if len(p) < nameBytes {
			return true
		}
		_, found := slices.BinarySearch(f.hashes, hashName(p))
		return found
	})
}

func hashName(id string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(id[:min(len(id), nameBytes)]))
	return h.Sum32()
}
