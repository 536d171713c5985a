package policy2

import "unicode/utf8"

// MatchesGlob says whether a glob describes the whole of s: `*` is any run of characters, none and slashes included, `?` is one
// character, and everything else is itself, in the case it is written in. It takes at most len(glob) × len(s) steps.
func MatchesGlob(glob, s string) bool {
	// Of the runs tried so far only the last one's length is still open: what an earlier one took more the last one may take too.
	afterStar, runEnd := -1, 0
	g, i := 0, 0
	for i < len(s) {
		switch {
		case g < len(glob) && glob[g] == '*':
			g++
			afterStar, runEnd = g, i

		case g < len(glob) && glob[g] == '?':
			g++
			i += runeLen(s[i:])

		case g < len(glob) && glob[g] == s[i]:
			g++
			i++

		case afterStar >= 0:
			runEnd += runeLen(s[runEnd:])
			g, i = afterStar, runEnd

		default:
			return false
		}
	}

	for g < len(glob) && glob[g] == '*' {
		g++
	}
	return g == len(glob)
}

// runeLen is how many bytes the first character has; a byte that is no UTF-8 is one.
func runeLen(s string) int {
	_, n := utf8.DecodeRuneInString(s)
	return n
}

// matchesAnyGlob says whether any of the globs describes s.
func matchesAnyGlob(globs []string, s string) bool {
	for _, glob := range globs {
		if MatchesGlob(glob, s) {
			return true
		}
	}
	return false
}
