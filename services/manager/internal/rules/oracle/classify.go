package oracle

import (
	"maps"
	"slices"
	"strings"

	"gestor.local/contract"
)

// classOf is the declared class: the label, else the image map. A label that is neither low nor high is not replaced by
// a guess from the image. In rank mode there is no class before the ranking.
func (l lookup) classOf(p contract.Policy, e *contract.Entry) contract.Class {
	if p.Classify == contract.ClassifyRank {
		return contract.ClassUnknown
	}
	if label, ok := e.Labels[contract.LabelClass]; ok {
		return validClass(contract.Class(label))
	}
	if trimReference(e.Image) == "" { // without a tag it is the latest
		if class, ok := l.images[e.Image+latest]; ok {
			return validClass(class)
		}
	}
	for image := e.Image; image != ""; image = trimReference(image) {
		if class, ok := l.images[image]; ok {
			return validClass(class)
		}
	}
	return contract.ClassUnknown
}

// latest is the tag of an image that is named without one.
const latest = ":latest"

// imageClasses is the policy's map under the names that images have in an inventory (contract.ImageName). A name that
// the policy writes itself comes before another way to write it.
func imageClasses(written map[string]contract.Class) map[string]contract.Class {
	out := maps.Clone(written)
	for _, key := range slices.Sorted(maps.Keys(written)) {
		name := contract.ImageName(key)
		if strings.HasSuffix(key, latest) { // that tag only
			name += latest
		}
		if _, ok := out[name]; !ok {
			out[name] = written[key]
		}
	}
	return out
}

func validClass(c contract.Class) contract.Class {
	if c == contract.ClassLow || c == contract.ClassHigh {
		return c
	}
	return contract.ClassUnknown
}

// trimReference cuts the digest, then the tag off an image reference, and returns "" when neither is left. A colon
// before the last slash belongs to a registry's port.
func trimReference(image string) string {
	if name, _, ok := strings.Cut(image, "@"); ok {
		return name
	}
	if colon := strings.LastIndexByte(image, ':'); colon > strings.LastIndexByte(image, '/') {
		return image[:colon]
	}
	return ""
}
