package line

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// Labels says which values of labels are written. All keys are; a value may be anything, also the password of a proxy.
type Labels struct{ named []string }

// LabelsOf are those of a policy: the labels that say who manages a container, and whatever the policy names. Sorted.
func LabelsOf(p *policy2.Policy) Labels {
	var named []string
	name := func(list []policy2.Selector) {
		for _, s := range list {
			if s.Label != nil {
				named = append(named, s.Label.Key)
			}
			for _, l := range s.Labels {
				named = append(named, l.Key)
			}
		}
	}

	name(p.Own)
	name(p.Protect)
	for i := range p.Rules {
		r := &p.Rules[i]
		name(r.Match)
		named = append(named, r.Keep.Per.Label, r.When.Expired, r.RestWhen.Expired)
	}

	slices.Sort(named)
	return Labels{slices.Compact(named)}
}

// Equal says that both write the same values.
func (l Labels) Equal(o Labels) bool { return slices.Equal(l.named, o.named) }

// Writes says whether the value of a label is written.
func (l Labels) Writes(key string) bool {
	for _, prefix := range [...]string{
		"com.docker.compose.", "io.podman.compose.", "com.docker.swarm.", contract.LabelStack, "io.kubernetes.",
		"com.hashicorp.nomad.", contract.LabelSystemdUnit, "org.testcontainers", "docker-mcp", "gestor.",
	} {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}

	_, named := slices.BinarySearch(l.named, key)
	return named
}

// same says that both are written alike.
func (l Labels) same(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for key, value := range b {
		if before, ok := a[key]; !ok || before != value && l.Writes(key) {
			return false
		}
	}
	return true
}

// write writes the labels, sorted by key.
func (l Labels) write(to []byte, labels map[string]string) []byte {
	to = append(to, '{')
	for i, key := range slices.Sorted(maps.Keys(labels)) {
		if i > 0 {
			to = append(to, ',')
		}

		to = append(appendText(to, key), ':')
		if l.Writes(key) {
			to = appendText(to, labels[key])
		} else {
			to = append(to, "null"...)
		}
	}

	return append(to, '}')
}

// readLabels gives the labels, with "" where a value is withheld, and the keys of those, sorted.
func readLabels(text []byte) (labels map[string]string, withheld []string, err error) {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(text, &values); err != nil {
		return nil, nil, err
	}

	labels = make(map[string]string, len(values))
	for key, text := range values {
		var value string
		if bytes.Equal(text, null) {
			withheld = append(withheld, key)
		} else if err := json.Unmarshal(text, &value); err != nil {
			return nil, nil, err
		}
		labels[key] = value
	}

	slices.Sort(withheld)
	return labels, withheld, nil
}
