// Package scrub takes secrets out of command lines before anything is written down. It errs on the side of hiding too
// much.
package scrub

import (
	"regexp"
	"strings"
)

// redacted replaces a secret.
const redacted = "***"

// secretName matches the name of an option, variable or parameter whose value is a secret.
var secretName = regexp.MustCompile(
	`(?i)(passw(or)?d|passphrase|pwd|secret|token|auth|credential|(api|access|private)[-_]?key|(^|[-_])(pass|key)$)`)

// secretText matches the name of a secret and the value that follows it within a longer text: --password=x, TOKEN='x
// y'.
var secretText = regexp.MustCompile(
	`(?i)([\w-]*(?:passw(?:or)?d|passphrase|secret|token|credential|(?:api|access|private)[-_]?key)[\w-]*)(=|:|\s+)\s*("[^"]*"|'[^']*'|\S+)`)

// urlPassword matches the password in scheme://user:password@host.
var urlPassword = regexp.MustCompile(`(://[^/@:\s]*:)[^/@\s]+@`)

// Args replaces the secrets among arguments: "--password=x", "TOKEN=x", "--token" "x", "https://user:x@host", and those
// in an argument that is a command line itself (sh -c "…").
func Args(args []string) []string {
	clean := make([]string, 0, len(args))
	next := false // the argument is the value of the option before
	for _, arg := range args {
		if next && !strings.HasPrefix(arg, "-") {
			clean, next = append(clean, redacted), false
			continue
		}

		name, _, assigned := strings.Cut(arg, "=")
		secret := secretName.MatchString(name)
		next = secret && !assigned && strings.HasPrefix(arg, "-")
		if secret && assigned {
			arg = name + "=" + redacted
		}

		// Whatever its name says: it may be a command line itself, or hold an address with a password.
		clean = append(clean, Line(arg))
	}
	return clean
}

// Line replaces the secrets in a command line whose arguments are not known one by one.
func Line(cmdline string) string {
	return urlPassword.ReplaceAllString(secretText.ReplaceAllString(cmdline, "${1}${2}"+redacted), "${1}"+redacted+"@")
}
