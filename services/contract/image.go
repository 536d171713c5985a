package contract

import "strings"

// ImageName is the one name of an image in everything that Gestor writes, made of what the engine's Config.Image says: the
// default registry's prefix, podman's localhost/ and the tag latest are left out. Another tag, another registry, a digest
// and a bare id (sha256:…) stay. It may be asked of its own answer, which it then gives again.
func ImageName(s string) string {
	// What is left of one round may begin or end with another of them (localhost/docker.io/…), and the answer has to be the
	// same for itself: round after round, until one changes nothing. A prefix alone is no name, so it stays.
	for {
		short := strings.TrimSuffix(s, ":latest")
		for _, prefix := range []string{"docker.io/library/", "docker.io/", "localhost/"} {
			if name, ok := strings.CutPrefix(short, prefix); ok {
				short = name
				break
			}
		}

		if short == "" || short == s {
			return s
		}
		s = short
	}
}

// ShortImage is the last part of an image's name without its tag, as people call it: registry.example:5000/team/app:1 is
// app. It is a name to show and to search for; two images may share it.
func ShortImage(s string) string {
	s = s[strings.LastIndexByte(s, '/')+1:]
	name, _, _ := strings.Cut(s, ":")
	return name
}
