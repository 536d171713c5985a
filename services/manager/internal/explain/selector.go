package explain

import (
	"fmt"
	"slices"
	"strings"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// keysOf divides a selector into selectors of one key, all of which must match.
func keysOf(s policy2.Selector) []policy2.Selector {
	var out []policy2.Selector
	add := func(is bool, key policy2.Selector) {
		if is {
			out = append(out, key)
		}
	}

	add(s.Label != nil, policy2.Selector{Label: s.Label})
	for i := range s.Labels {
		add(true, policy2.Selector{Label: &s.Labels[i]})
	}
	add(len(s.Network) > 0, policy2.Selector{Network: s.Network})
	add(len(s.Image) > 0, policy2.Selector{Image: s.Image})
	add(len(s.Name) > 0, policy2.Selector{Name: s.Name})
	add(len(s.Project) > 0, policy2.Selector{Project: s.Project})
	add(len(s.Class) > 0, policy2.Selector{Class: s.Class})
	add(s.Socket, policy2.Selector{Socket: true})
	return out
}

// valueOf is what the container has of the key of a selector: label team = a.
func valueOf(key policy2.Selector, id *policy2.Identity, p *policy2.Policy) string {
	orNone := func(what, value string) string {
		if value == "" {
			return "no " + what
		}
		return what + " " + contract.Printable(value)
	}

	switch {
	case key.Label != nil:
		value, ok := id.Labels[key.Label.Key]
		switch {
		case !ok:
			return "no label " + key.Label.Key
		case value == "":
			return fmt.Sprintf("label %s = %q", key.Label.Key, value)
		default:
			return "label " + key.Label.Key + " = " + contract.Printable(value)
		}

	case len(key.Network) > 0:
		return orNone("network", strings.Join(id.Networks.Value, " "))
	case len(key.Image) > 0:
		return orNone("image", id.Image)
	case len(key.Name) > 0:
		return orNone("name", id.Name)
	case len(key.Project) > 0:
		return orNone("project", id.Project())
	case len(key.Class) > 0:
		class, _ := p.ClassOf(id)
		return orNone("class", string(class))
	case id.Socket.Value:
		return "it mounts the engine's socket"
	default:
		return "it does not mount the engine's socket"
	}
}

// wantedOf is what the key of a selector asks for: main, or redis* or postgres*.
func wantedOf(key policy2.Selector) string {
	switch {
	case key.Label != nil && key.Label.Any, key.Socket:
		return ""
	case key.Label != nil:
		return key.Label.Value
	case len(key.Class) > 0:
		words := make([]string, len(key.Class))
		for i, class := range key.Class {
			words[i] = string(class)
		}
		return strings.Join(words, " or ")
	default:
		return strings.Join(slices.Concat(key.Network, key.Image, key.Name, key.Project), " or ")
	}
}

// unknownOf is what of the container is not known that the key reads.
func unknownOf(key policy2.Selector) string {
	switch {
	case len(key.Network) > 0:
		return "its networks"
	case len(key.Image) > 0, len(key.Class) > 0:
		return "the name of its image"
	case key.Socket:
		return "what it mounts"
	default:
		return "its labels"
	}
}

// matchText says which values make the first of the selectors that surely matches match; "every own container" where there is none.
func matchText(list []policy2.Selector, id *policy2.Identity, p *policy2.Policy) string {
	for i := range list {
		if list[i].Matches(id, p.Images) != policy2.True {
			continue
		}
		var words []string
		for _, key := range keysOf(list[i]) {
			words = append(words, valueOf(key, id, p))
		}
		return strings.Join(words, ", ")
	}
	return "every own container"
}

// mismatchText says of each selector which value is why it does not match; unknown is what is not known of those that may.
func mismatchText(list []policy2.Selector, id *policy2.Identity, p *policy2.Policy) (text string, unknown []string) {
	var words []string
	add := func(to *[]string, word string) {
		if !slices.Contains(*to, word) {
			*to = append(*to, word)
		}
	}

	for i := range list {
		answer := list[i].Matches(id, p.Images)
		for _, key := range keysOf(list[i]) {
			if answer == policy2.True || key.Matches(id, p.Images) != answer {
				continue
			}
			if answer == policy2.Unknown {
				add(&unknown, unknownOf(key))
				break
			}

			value := valueOf(key, id, p)
			if wanted := wantedOf(key); wanted != "" && !strings.HasPrefix(value, "no ") {
				value += ", not " + contract.Printable(wanted)
			}
			add(&words, value)
			break
		}
	}
	return strings.Join(words, "; "), unknown
}
