package charttest

import "strings"

// Hostile are names that try to become markup, script, terminal control or a format. window.pwned tells a browser test
// that one of them ran.
func Hostile() []string {
	return []string{
		`</script><script>window.pwned=1</script>`,
		`<img src=x onerror="window.pwned=2">`,
		`__f__window.pwned=3__f__`,
		`"><svg onload=window.pwned=4>`,
		`'-window.pwned=5-'`,
		`{{.Secret}}${window.pwned=6}`,
		`javascript:window.pwned=7`,
		"bell\a esc\x1b[31m nul\x00 newline\n tab\t",
		"\u202egnirts desrever \u2066",
		"bad utf8 \xff\xfe \xc0\xaf",
		`{a|rich} {b} {c} {@[1]}`,
		`__proto__`, `constructor`,
		`%s%n%d`, `<!--`, `]]>`, `-->`,
		strings.Repeat("long", 2000),
	}
}
