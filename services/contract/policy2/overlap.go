package policy2

import (
	"slices"
	"strings"

	"gestor.local/contract"
)

// Overlaps says whether two rules may speak of the same container: whether any selector of one may match a container that one
// of the other matches. Nil matches everybody. It says no only where one key of both can be seen to exclude: the same label
// with other values, or a class, an image, a name or a project that no two of their globs share.
func Overlaps(a, b []Selector) bool {
	if a == nil || b == nil {
		return true
	}
	return slices.ContainsFunc(a, func(one Selector) bool {
		return slices.ContainsFunc(b, func(other Selector) bool { return !one.excludes(other) })
	})
}

// excludes says whether no container can match both.
func (s Selector) excludes(other Selector) bool {
	for _, l := range s.allLabels() {
		for _, m := range other.allLabels() {
			if l.Key == m.Key && !l.Any && !m.Any && !globsMeet(l.Value, m.Value) {
				return true
			}
		}
	}

	return apart(s.Name, other.Name, globsMeet) || apart(s.Project, other.Project, globsMeet) ||
		apart(s.Image, other.Image, imagesMeet) ||
		apart(s.Class, other.Class, func(a, b contract.Class) bool { return a == b })
}

// allLabels are those that must all be there.
func (s Selector) allLabels() []Label {
	if s.Label == nil {
		return s.Labels
	}
	return append([]Label{*s.Label}, s.Labels...)
}

// apart says whether both lists are written and no value of one meets one of the other.
func apart[T any](a, b []T, meet func(T, T) bool) bool {
	return len(a) > 0 && len(b) > 0 && !slices.ContainsFunc(a, func(one T) bool {
		return slices.ContainsFunc(b, func(other T) bool { return meet(one, other) })
	})
}

// globsMeet says whether there is a text that both globs describe; of very long ones it assumes so.
func globsMeet(a, b string) bool {
	return len(a)*len(b) > mostSteps || walkGlobs(a, b, func(a, b rune) (both, aOn, bOn bool) {
		// A run may end, or take what stands in the other glob.
		if a == '*' || b == '*' {
			return false, a != globEnd, b != globEnd
		}
		return a != globEnd && b != globEnd && (a == b || a == '?' || b == '?'), false, false
	})
}

// globCovers says whether a glob surely describes every text that the other describes; it may say no where it does.
func globCovers(glob, other string) bool {
	return len(glob)*len(other) <= mostSteps && walkGlobs(glob, other, func(g, o rune) (both, gOn, oOn bool) {
		switch g {
		case '*':
			return false, true, o != globEnd

		// What stands for one character is not what a run in the other stands for.
		case '?':
			return o != globEnd && o != '*', false, false
		default:
			return g != globEnd && g == o, false, false
		}
	})
}

// mostSteps bounds what comparing two globs costs: no name, label or image comes near it.
const mostSteps = 1 << 20

// globEnd stands behind the last character of a glob.
const globEnd rune = -1

// walkGlobs says whether the ends of both globs can be reached together. step is asked for a character of each, globEnd behind
// the last: may both move on, may the first alone, may the second alone.
func walkGlobs(first, second string, step func(a, b rune) (both, aOn, bOn bool)) bool {
	a, b := append([]rune(first), globEnd), append([]rune(second), globEnd)

	// A row says which places in b can be reached together with one place in a.
	here, next := make([]bool, len(b)+1), make([]bool, len(b)+1)
	here[0] = true
	for _, ca := range a {
		for j, cb := range b {
			if !here[j] {
				continue
			}
			if ca == globEnd && cb == globEnd {
				return true
			}

			both, aOn, bOn := step(ca, cb)
			next[j+1] = next[j+1] || both
			next[j] = next[j] || aOn
			here[j+1] = here[j+1] || bOn
		}
		here, next = next, here
		clear(next)
	}
	return false
}

// imagesMeet says whether two globs may describe the same image. Names are compared without tag, unless both have one that is
// written out; and what was built here has a name with podman's localhost/ and one without.
func imagesMeet(a, b string) bool {
	one, other := imageGlobOf(a), imageGlobOf(b)
	if one.literalTag && other.literalTag && one.tag != other.tag {
		return false
	}
	return globsMeet(one.name, other.name) || globsMeet(localPrefix+one.name, other.name) || globsMeet(one.name, localPrefix+other.name)
}

// imageGlob is a glob for images, taken apart.
type imageGlob struct {
	name, tag  string
	literalTag bool // tag is the one tag that it fits
}

func imageGlobOf(glob string) imageGlob {
	glob = strings.TrimPrefix(strings.TrimPrefix(glob, hubPrefix), officialPrefix)
	last := lastPart(glob)
	end := strings.IndexAny(last, ":@")
	if end < 0 {
		return imageGlob{name: glob}
	}

	// A run before the tag may reach into the tag of an image, and the name then ends within it.
	folder, name, tag := glob[:len(glob)-len(last)], last[:end], last[end+1:]
	if star := strings.IndexByte(name, '*'); star >= 0 {
		name = name[:star+1]
	}
	return imageGlob{name: folder + name, tag: tag, literalTag: last[end] == ':' && !strings.ContainsAny(tag, "*?:@")}
}

// covers says whether whoever matches any of the others surely matches any of these; it may say no where that is so.
func covers(list, others []Selector) bool {
	if list == nil || others == nil {
		return list == nil
	}
	return !slices.ContainsFunc(others, func(other Selector) bool {
		return !slices.ContainsFunc(list, func(s Selector) bool { return s.covers(other) })
	})
}

func (s Selector) covers(other Selector) bool {
	for _, l := range s.allLabels() {
		implied := slices.ContainsFunc(other.allLabels(), func(m Label) bool {
			return l.Key == m.Key && (l.Any || !m.Any && globCovers(l.Value, m.Value))
		})
		if !implied {
			return false
		}
	}

	return !s.Socket && coversList(s.Network, other.Network, globCovers) && coversList(s.Name, other.Name, globCovers) &&
		coversList(s.Project, other.Project, globCovers) && coversList(s.Image, other.Image, imageGlobCovers) &&
		coversList(s.Class, other.Class, func(a, b contract.Class) bool { return a == b })
}

// coversList says whether each of the others is within one of the list; a list that is not written takes everybody.
func coversList[T any](list, others []T, covers func(T, T) bool) bool {
	if len(list) == 0 || len(others) == 0 {
		return len(list) == 0
	}
	return !slices.ContainsFunc(others, func(other T) bool {
		return !slices.ContainsFunc(list, func(one T) bool { return covers(one, other) })
	})
}

// imageGlobCovers knows globs without a tag, which fit any, and such as are the same.
func imageGlobCovers(glob, other string) bool {
	isName := func(g string) bool {
		return !strings.ContainsAny(lastPart(g), ":@") && !strings.HasPrefix(g, hubPrefix+officialPrefix)
	}
	return glob == other || isName(glob) && isName(other) && globCovers(glob, other)
}
