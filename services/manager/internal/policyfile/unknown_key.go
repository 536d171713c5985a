package policyfile

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// unknownKey says what to write instead of a key that does not stand at this place.
func (d *decoder2) unknownKey(path, key, at string, pair *ast.MappingValueNode, ks keys) {
	what, hint := d.wordElsewhere(path, key, pair.Value)
	rule, _, inRule := strings.Cut(path, "]")
	switch {
	case what == "":
		what, hint = "is not a key of a policy", suggestKey(key, ks)
		if near := nearestKey(key, ks); near != "" {
			d.writtenElsewhere(path, near)
		}

	case what == keyOfRule && inRule:
		d.writtenElsewhere(rule+"]", key)
	}
	d.addNodeProblem(at, pair.Key, what, hint)
}

// writtenElsewhere notes a key that was meant and is written, although at another place or otherwise, so that it could not be
// read.
func (d *decoder2) writtenElsewhere(path, key string) {
	d.unreadable = append(d.unreadable, strings.TrimPrefix(path+"."+key, "."))
}

// wordElsewhere knows the words that people write and that stand elsewhere, are called otherwise, or are not there at all.
func (d *decoder2) wordElsewhere(path, key string, value ast.Node) (what, hint string) {
	switch key {
	case "not":
		return "not is no word here", "a keep rule above, or protect"

	case "hours", "pressure", "unhealthy", "holder_gone", "lease", "timezone", "max", "first", "approved":
		return key + " is specified for later, not built", ""

	case "until":
		return "until is called calm", ""
	case "of":
		return "of is called match", ""
	}

	if what, hint := versionOneKey(path, key); what != "" {
		return what, hint
	}

	written := fmt.Sprintf("{%s: %s}", key, short(value))
	switch {
	case slices.Contains([]string{"label", "labels", "network", "image", "name", "project", "class", "socket"}, key):
		if path == "" {
			return "is a selector", "own: [" + written + "]"
		}
		return "is a selector", "match: " + written

	case slices.Contains([]string{"age", "idle", "cpu", "ram", "processes", "restarts", "ended", "expired", "for"}, key):
		if d.keeps && strings.HasPrefix(path, "rules[") {
			return "is a condition", "rest_when: " + written
		}
		return "is a condition", "when: " + written

	case slices.Contains(policy2.Orders(), policy2.Order(key)) || key == "per":
		return "is a part of keep", "keep: " + written

	case slices.Contains([]string{"match", "each", "when", "do", "keep", "rest_when", "rest", "calm", "volumes", "rm"}, key):
		return keyOfRule, "beside name"
	}
	return "", ""
}

// Texts that stand at more than one place.
const (
	keyOfVersion1 = "is a key of version 1"
	keyOfRule     = "is a key of a rule"
)

// versionOneKey knows the keys that only version 1 has.
func versionOneKey(path, key string) (what, hint string) {
	switch strings.TrimPrefix(path+"."+key, ".") {
	case "quota":
		return keyOfVersion1, "write a rule with keep: {lightest: 3}"
	case "classify":
		return keyOfVersion1, "write a rule with match: {class: low}"
	case "caps":
		return keyOfVersion1, "write budget: [20 per tick, 60 per 1m]"

	case "act.ladder":
		return keyOfVersion1, "is called act.calls"
	case "act.throttle_ticks":
		return keyOfVersion1, "a rule with do: throttle and calm"
	}
	return "", ""
}

// short is a value as a hint may repeat it.
func short(value ast.Node) string {
	if value == nil {
		return "…"
	}
	text := excerpt(value)
	if strings.HasSuffix(text, "…") || text == "null" {
		return "…"
	}
	return text
}

// readAll says whether all that stands below a path could be read.
func (d *decoder2) readAll(path string) bool {
	return !slices.ContainsFunc(d.unreadable, func(u string) bool { return strings.HasPrefix(u, path+".") })
}

// hintOf is the hint of an error that is a list of problems.
func hintOf(err error) string {
	var problems contract.Problems
	if errors.As(err, &problems) && len(problems) > 0 {
		return problems[0].Hint
	}
	return ""
}

// bareGlob finds a * that stands alone on a line of a text that is not YAML, which it is the reason of. Version 1 has no globs.
func bareGlob(text []byte, line int) (glob string, ok bool) {
	lines := bytes.Split(text, []byte("\n"))
	if line < 1 || line > len(lines) || regexp.MustCompile(`(?m)^version:\s*1\s*(#.*)?$`).Match(text) {
		return "", false
	}

	found := regexp.MustCompile(`(?:[:,\[]|-\s)\s*(\*[*?]*)\s*(?:[,}\]]|$)`).FindSubmatch(lines[line-1])
	if found == nil {
		return "", false
	}
	return string(found[1]), true
}
