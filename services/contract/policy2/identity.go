package policy2

import (
	"slices"

	"gestor.local/contract"
)

// Fact is one value read on this tick from one named source, or unknown. What is unknown has the zero value.
type Fact[T any] struct {
	Value T
	Known bool
}

// Known is a fact that could be had.
func Known[T any](v T) Fact[T] { return Fact[T]{Value: v, Known: true} }

// Truth is the answer to a question about facts, some of which may be unknown.
type Truth int8

// Truths. Unknown is the zero value.
const (
	Unknown Truth = iota
	False
	True
)

// MostPastNames is how many names that a container had before are remembered: the first ones, and none of those that came later. One
// that had so many may have had any: every selector of Protect that asks for a name protects it.
const MostPastNames = 64

// Identity is what selectors read of one container: who it is, and not what it does.
type Identity struct {
	ID string
	// Name is its name now, without slash; PastNames are those it had before, which Policy.Protects asks too, MostPastNames of them or
	// more where not all may be known.
	Name      string
	PastNames []string
	// Image is the reference it was created with (Config.Image) as the engine tells it, fixed for its life; "" is unknown, as
	// is one that is only an id.
	Image  string
	Labels map[string]string
	// Withheld are those of Labels of which only the key is known, as of a container that a journal tells of. Sorted.
	Withheld []string
	Networks Fact[[]string] // names of those it is attached to
	Socket   Fact[bool]     // it mounts the engine's socket, see Mount.GivesSocket
}

// Withholds says that it has the label, and that the value is unknown.
func (id *Identity) Withholds(key string) bool {
	_, withheld := slices.BinarySearch(id.Withheld, key)
	return withheld
}

// Project is the compose project that made it, "" for none. Containers of an image that compose built carry the name of the
// project that built it, whoever started them: only what compose or podman-compose made has their hash beside it.
func (id *Identity) Project() string {
	if id.Labels[contract.LabelConfigHash] == "" && id.Labels[contract.LabelPodmanConfigHash] == "" {
		return ""
	}
	return id.Labels[contract.LabelProject]
}

// Suite is whose containers are Gestor's own and which are parts of Gestor itself.
type Suite struct {
	// Name is the value of gestor.suite that a managed container must carry; "" takes any.
	Name string
	// IDs are the full ids of the suite's own containers, Project is their compose project, "" when they have none.
	IDs     []string
	Project string
}
