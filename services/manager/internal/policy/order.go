package policy

import (
	"cmp"
	"strings"

	"gestor.local/contract"
)

// measures is the number of figures that rank a container.
const measures = 4

// keys puts the four measures in the order of the policy. CPU and RAM are rounded to buckets: noise below half a bucket
// around a round figure cannot turn a decision, and no hidden state is needed for it.
func keys(p contract.Policy, m contract.Measures) (out [measures]uint64) {
	for i, k := range p.Rank {
		if i == measures {
			break
		}
		switch k {
		case contract.KeyCPU:
			out[i] = Bucket(m.CPUMillicores, p.Buckets.CPUMillicores)
		case contract.KeyRAM:
			out[i] = Bucket(m.RAMKB, p.Buckets.RAMKB)
		case contract.KeyVSZ:
			out[i] = m.VSZKB
		case contract.KeyRSS:
			out[i] = m.RSSKB
		}
	}
	return out
}

// Bucket counts the buckets of the width that are nearest to v. Limits are round numbers, so that figures crowd around
// them: a container held to 250 milli-cores is measured at 249 and at 251, and no edge of a bucket may lie there.
func Bucket(v, width uint64) uint64 {
	width = max(1, width)
	count := v / width
	if v%width >= width-width/2 {
		count++
	}
	return count
}

// lighter orders by the measures ascending, then the older first, then the smaller id: a total order on distinct ids.
func lighter(a, b *subject) int {
	if c := compareKeys(a, b); c != 0 {
		return c
	}
	return older(a, b)
}

// heavier orders by the measures descending; age and id stay as they are, so that of two equals the older survives in
// either class.
func heavier(a, b *subject) int {
	if c := compareKeys(b, a); c != 0 {
		return c
	}
	return older(a, b)
}

func compareKeys(a, b *subject) int {
	for i := range a.key {
		if c := cmp.Compare(a.key[i], b.key[i]); c != 0 {
			return c
		}
	}
	return 0
}

func older(a, b *subject) int {
	if c := cmp.Compare(a.member.StartUS, b.member.StartUS); c != 0 {
		return c
	}
	return strings.Compare(a.id, b.id)
}

// deciding is the first key that tells two subjects apart.
func deciding(p contract.Policy, a, b *subject) contract.Key {
	for i := range a.key {
		if a.key[i] != b.key[i] {
			return p.Rank[i]
		}
	}
	if a.member.StartUS != b.member.StartUS {
		return contract.KeyAge
	}
	return contract.KeyID
}
