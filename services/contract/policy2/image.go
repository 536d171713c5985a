package policy2

import (
	"strings"

	"gestor.local/contract"
)

// Prefixes that a reference may carry without naming another image: those of the default registry and of its official images,
// and what podman puts before the name of an image that was built here.
const (
	hubPrefix      = "docker.io/"
	officialPrefix = "library/"
	localPrefix    = "localhost/"
)

// IsImageID says whether a reference is only the id of an image, or not there at all: then nothing is known of its name. A
// name of exactly 12 hex digits is taken for an id too, since the engine takes both.
func IsImageID(image string) bool {
	return image == "" || strings.HasPrefix(image, "sha256:") || contract.IsContainerID(image) ||
		len(image) == 12 && strings.Trim(image, "0123456789abcdef") == ""
}

// imageReference is a reference taken apart: NAME[:TAG][@DIGEST], the name without docker.io/ and library/.
//
// It is not contract.ImageName, which makes the name that people read: that one drops podman's localhost/ and the tag latest,
// and a glob may ask for either.
type imageReference struct {
	name, tag, digest string
	hub               bool // it is on the default registry
}

func parseImage(image string) imageReference {
	var r imageReference
	name, hub := strings.CutPrefix(image, hubPrefix)
	host, _, hosted := strings.Cut(name, "/")
	r.hub = hub || !hosted || !strings.ContainsAny(host, ".:") && host+"/" != localPrefix
	if r.hub {
		name = strings.TrimPrefix(name, officialPrefix)
	}

	name, r.digest, _ = strings.Cut(name, "@")
	if colon := tagColon(name); colon >= 0 {
		name, r.tag = name[:colon], name[colon+1:]
	}
	r.name = name
	return r
}

// tagColon is where a tag begins, -1 without one. A colon before the last slash belongs to a registry's port.
func tagColon(s string) int {
	if colon := strings.LastIndexByte(s, ':'); colon > strings.LastIndexByte(s, '/') {
		return colon
	}
	return -1
}

// lastPart is what stands behind the last slash.
func lastPart(s string) string { return s[strings.LastIndexByte(s, '/')+1:] }

// spellings are the ways to write the reference with this name and its own tag and digest. Without either it has the tag latest.
func (r imageReference) spellings(name string) []string {
	switch {
	case r.tag != "" && r.digest != "":
		return []string{name + ":" + r.tag + "@" + r.digest, name + ":" + r.tag, name + "@" + r.digest}
	case r.digest != "":
		return []string{name + "@" + r.digest}
	case r.tag != "":
		return []string{name + ":" + r.tag}
	default:
		return []string{name + ":latest"}
	}
}

// fits says whether the glob describes the image under this name. A glob without a tag fits any tag and any digest.
func (r imageReference) fits(glob, name string) bool {
	if !strings.ContainsAny(lastPart(glob), ":@") {
		return MatchesGlob(glob, name)
	}
	for _, spelling := range r.spellings(name) {
		if MatchesGlob(glob, spelling) {
			return true
		}
	}
	return false
}

// matchesImage says whether any of the globs describes the image; unknown where the image is only an id. A glob that names the
// default registry, or its official images, describes those alone.
func matchesImage(globs []string, image string) Truth {
	if IsImageID(image) {
		return Unknown
	}

	r := parseImage(image)
	local, isLocal := strings.CutPrefix(r.name, localPrefix)
	for _, glob := range globs {
		glob, ofHub := strings.CutPrefix(glob, hubPrefix)
		glob, official := strings.CutPrefix(glob, officialPrefix)
		if (ofHub || official) && !r.hub || official && strings.Contains(r.name, "/") {
			continue
		}

		if r.fits(glob, r.name) || isLocal && r.fits(glob, local) {
			return True
		}
	}
	return False
}

// protectsImage is matchesImage as Policy.Protects asks: on any registry, a glob without slash also of the last part of the
// path, and one with a tag also of an image by digest, whose tag is not known.
func protectsImage(globs []string, image string) Truth {
	if IsImageID(image) {
		return Unknown
	}

	r := parseImage(image)
	for _, glob := range globs {
		glob = strings.TrimPrefix(strings.TrimPrefix(glob, hubPrefix), officialPrefix)
		if colon := tagColon(glob); colon >= 0 && r.digest != "" && r.tag == "" && !strings.Contains(glob, "@") {
			glob = glob[:colon]
		}

		// What podman puts before a name, and any folder, is a slash away.
		local := strings.TrimPrefix(r.name, localPrefix)
		if r.fits(glob, r.name) || r.fits(glob, local) || !strings.Contains(glob, "/") && r.fits(glob, lastPart(r.name)) {
			return True
		}
	}
	return False
}

// classOfImage is the class that the map gives to an image, "" for none: the entry of the whole reference first, then that
// without digest, then that without tag. Names are compared as contract.ImageName makes them, and one that is written so comes
// before another way to write it; an entry with the tag latest is of that tag alone.
func classOfImage(images map[string]contract.Class, image string) contract.Class {
	name := contract.ImageName(image)
	for _, candidate := range imageCandidates(name) {
		if class, ok := images[candidate]; ok {
			return class
		}

		// Two ways to write one name: the first in the order of letters, so that the answer does not depend on the map's.
		first := ""
		for key := range images {
			if imageKey(key) == candidate && (first == "" || key < first) {
				first = key
			}
		}
		if first != "" {
			return images[first]
		}
	}
	return ""
}

// imageCandidates are the keys under which an image may stand, the most exact first.
func imageCandidates(name string) []string {
	short, _, _ := strings.Cut(name, "@")
	bare := short
	if colon := tagColon(short); colon >= 0 {
		bare = short[:colon]
	}

	switch {
	case name == bare:
		return []string{name + ":latest", name}
	case short == bare || short == name:
		return []string{name, bare}
	default:
		return []string{name, short, bare}
	}
}

// imageKey is the name under which an entry of the map is looked up.
func imageKey(written string) string {
	name := contract.ImageName(written)
	if strings.HasSuffix(written, ":latest") {
		return name + ":latest"
	}
	return name
}

// ImageGlob is the glob that fits an image whatever its tag and digest, "" where only its id is known.
func ImageGlob(image string) string {
	if IsImageID(image) {
		return ""
	}
	return parseImage(image).name
}
