package segment

import (
	"hash/fnv"
	"slices"
)

// names is a set of containers by 32-bit hash: small enough to keep of every file, so that a question about one
// container loads the indexes of the files that have it alone. It may say yes wrongly, never no.
type names []uint32

// nameBytes of an id are hashed: the length that Docker prints, by which people ask.
const nameBytes = 12

func namesOf(containers map[string][]int32) names {
	out := make(names, 0, len(containers))
	for id := range containers {
		out = append(out, hashName(id))
	}
	slices.Sort(out)
	return slices.Clip(slices.Compact(out))
}

// mayHave says whether a container with one of the prefixes can be there. No prefix asks for all.
func (n names) mayHave(prefixes []string) bool {
	return len(prefixes) == 0 || slices.ContainsFunc(prefixes, func(p string) bool {
		if len(p) < nameBytes {
			return true
		}
		_, found := slices.BinarySearch(n, hashName(p))
		return found
	})
}

func hashName(id string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(id[:min(len(id), nameBytes)]))
	return h.Sum32()
}
