package facts

import (
	"slices"
	"strings"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/source/netdev"
)

// Network modes whose counters are not read.
const (
	modeNone      = "none"
	modeHost      = "host"
	modeContainer = "container:" // and the id of the one whose network it shares
	modeNamespace = "ns:"        // podman: and a path, of whomever's
)

// Counted returns whose network is to be counted, with the oldest process of each: of those that have one of their own. speaks
// says of whom a rule asks. Both readings may be nil.
func (b *Builder) Counted(
	snap *contract.Snapshot, pop *contract.Population, speaks func(*policy2.Identity) bool,
) map[string]netdev.Process {
	wanted := make(map[string]netdev.Process)
	for id, r := range rowsOf(snap, pop) {
		k := b.known[id]
		if k != nil && k.owns(r) && speaks(k.identity) && b.network(k) == networkOwn {
			wanted[id] = r.oldest()
		}
	}
	return wanted
}

// AsksIdle says of whom a rule with idle may speak, if it is own: whose traffic is to be counted.
func AsksIdle(p *policy2.Policy, suite policy2.Suite) func(*policy2.Identity) bool {
	return func(id *policy2.Identity) bool {
		if _, own := p.Owns(id, suite); !own {
			return false
		}

		return slices.ContainsFunc(p.Rules, func(r policy2.Rule) bool {
			return (r.When.Idle > 0 || r.RestWhen.Idle > 0) && p.MatchesAny(r.Match, id) != policy2.False
		})
	}
}

// network is whose a container's interfaces are.
type network int

const (
	networkUnknown network = iota // or the host's, of which nothing is known either
	networkNone
	networkOwn // its own, or another container's
)

// maxShared is how many containers may share one network in a row; no engine lets one share that of a sharer.
const maxShared = 4

func (b *Builder) network(k *known) network {
	for range maxShared {
		mode := k.inspected.networkMode
		switch {
		case !k.life, mode == "", mode == modeHost, strings.HasPrefix(mode, modeNamespace):
			return networkUnknown
		case mode == modeNone:
			return networkNone
		case !strings.HasPrefix(mode, modeContainer):
			return networkOwn
		}

		// Whose network it shares may be the host's.
		if k = b.shared(mode); k == nil {
			return networkUnknown
		}
	}
	return networkUnknown
}

// shared is the container whose network the mode names, by id or by name, nil where it is not listed.
func (b *Builder) shared(mode string) *known {
	ref := strings.TrimPrefix(mode, modeContainer)
	if k := b.known[ref]; k != nil {
		return k
	}

	for _, k := range b.known {
		if k.entry.Name == ref {
			return k
		}
	}
	return nil
}

// networkMode is the engine's word, with the full id of whose network it shares.
func (b *Builder) networkMode(k *known) policy2.Fact[string] {
	mode := k.inspected.networkMode
	if strings.HasPrefix(mode, modeContainer) {
		if other := b.shared(mode); other != nil {
			mode = modeContainer + other.entry.ID
		}
	}
	return textFact(mode)
}

// addNetwork adds the count of its traffic. One without a network has none.
func (b *Builder) addNetwork(c *rules.Container, k *known, t Tick) {
	switch b.network(k) {
	case networkNone:
		c.NetBytes, c.NetBootUS = policy2.Known(uint64(0)), t.Clocks.BootUS
	case networkOwn:
		if count, ok := t.Network[c.ID]; ok && c.HasRow {
			c.NetBytes, c.NetBootUS = policy2.Known(count.Bytes), count.BootUS
		}
	case networkUnknown:
	}
}
