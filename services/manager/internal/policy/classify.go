package policy

import (
	"strings"

	"gestor.local/contract"
)

// classOf is the declared class: the label, else the image map. A label that is neither low nor high is not replaced by
// a guess from the image. In rank mode there is no class before the ranking.
func classOf(p contract.Policy, e *contract.Entry) contract.Class {
	if p.Classify == contract.ClassifyRank {
		return contract.ClassUnknown
	}
	if label, ok := e.Labels[contract.LabelClass]; ok {
		return known(contract.Class(label))
	}
	for image := e.Image; image != ""; image = shorter(image) {
		if class, ok := p.Images[image]; ok {
			return known(class)
		}
	}
	return contract.ClassUnknown
}

func known(c contract.Class) contract.Class {
	if c == contract.ClassLow || c == contract.ClassHigh {
		return c
	}
	return contract.ClassUnknown
}

// shorter takes the digest, then the tag from an image reference, and returns "" when neither is left. A colon before
// the last slash belongs to a registry's port.
func shorter(image string) string {
	if name, _, ok := strings.Cut(image, "@"); ok {
		return name
	}
	if colon := strings.LastIndexByte(image, ':'); colon > strings.LastIndexByte(image, '/') {
		return image[:colon]
	}
	return ""
}
