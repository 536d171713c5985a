package policyfile

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// ruleLine is where the rule of aRule stands.
const ruleLine = 3

// aRule is a document with one rule, which has these keys beside its name.
func aRule(keys string) string { return "version: 2\nrules:\n  - {name: x, " + keys + "}\n" }

// expect parses a document of which exactly these problems are said.
func expect(t *testing.T, text string, want ...string) {
	t.Helper()
	_, err := Parse([]byte(text))
	var problems contract.Problems
	if err != nil && !errors.As(err, &problems) {
		t.Fatalf("%s: an error that is no list of problems: %v", text, err)
	}

	var got []string
	for _, p := range problems {
		got = append(got, p.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s\n%s", text, diff)
	}
}

// expectOfRule is expect for a document with one rule, without the line, which is always the same.
func expectOfRule(t *testing.T, keys string, want ...string) {
	t.Helper()
	lines := make([]string, len(want))
	for i, w := range want {
		lines[i] = fmt.Sprintf("line %d: %s", ruleLine, w)
	}
	expect(t, aRule(keys), lines...)
}

// TestMistakes: what people wrote when they tried, and what they are told.
func TestMistakes(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"version: 2\nown: [{socket: true}]\n", `line 2: own[0].socket: owns every container that mounts the engine's socket ` +
			`(say whom: image: testcontainers/ryuk beside it)`},
		{"version: 2\nown: [{name: \"*\", socket: true}]\n", `line 2: own[0].socket: owns every container that mounts the engine's socket ` +
			`(say whom: image: testcontainers/ryuk beside it)`},
		{"version: 2\nown: [{name: \"*\"}]\n", `line 2: own[0].name: "*" owns every container of this host ` +
			`(say whom: a label, an image; label: com.docker.compose.project is all of compose)`},
		{"version: 2\nown: [{image: *redis*}]\n", `line 2: own[0].image: a glob that begins with * needs quotes: "*redis*"`},
		{"version: 2\nprotect: [{project: p, image: redis*}]\n", `line 2: protect[0]: two keys protect only what has both (write two selectors)`},
		{"version: 2\nprotect: [{labels: [a, b]}]\n", `line 2: protect[0].labels: protects only what has all of them (write a selector for each)`},
		{"version: 2\nown: [{label: prod.*}]\n", `line 2: own[0].label: the key of a label takes no glob (write it out)`},
		{"version: 2\nmode: shadow\n", `line 2: mode: shadow is specified for later, not built`},
		{"version: 2\ntimezone: UTC\n", `line 2: timezone: timezone is specified for later, not built`},
		{"version: 2\napproved: 9f2c01ab9f2c01ab\n", `line 2: approved: approved is specified for later, not built`},
		{"version: 2\nnot: {label: a}\n", `line 2: not: not is no word here (a keep rule above, or protect)`},
	} {
		expect(t, c.text, c.want)
	}

	for _, c := range []struct{ keys, want string }{
		{"match: {label: [tier=db, tier=cache]}, do: stop", `rules[0].match.label: label takes one value ` +
			`(labels: [a, b] when all must be there, two selectors when any may)`},
		{"match: {labels: [tier=db, tier=cache]}, do: stop", `rules[0].match.labels: can never match: one key with two values (two selectors)`},
		{"age: 4h, do: remove", `rules[0].age: is a condition (when: {age: 4h})`},
		{"label: a=b, do: remove", `rules[0].label: is a selector (match: {label: a=b})`},
		{"image: mcp/*, do: remove", `rules[0].image: is a selector (match: {image: mcp/*})`},
		{"do: delete", `rules[0].do: "delete" is not a step (keep, warn, throttle, stop, remove)`},
		{"do: kill", `rules[0].do: "kill" is not a step (keep, warn, throttle, stop, remove)`},
		{"do: restart", `rules[0].do: "restart" is not a step (keep, warn, throttle, stop, remove)`},
		{"do: pause", `rules[0].do: "pause" is not a step (keep, warn, throttle, stop, remove)`},
		{"do: notify", `rules[0].do: "notify" is not a step (keep, warn, throttle, stop, remove)`},
		{"do: [stop, warn]", `rules[0].do[1]: warn after stop: what was done is told by itself`},
		{"when: {cpu: 200}, do: warn", `rules[0].when.cpu: 200 is not a percent (200% is two cores)`},
		{"do: throttle to 0.5", `rules[0].do: "0.5" is not a percent (50% is half a core)`},
		{"when: {restarts: 5}, do: warn", `rules[0].when.restarts: "5" is not a count within a time (5 in 10m)`},
		{"when: {restarts: 5/10m}, do: warn", `rules[0].when.restarts: "5/10m" is not a count within a time (5 in 10m)`},
		{"when: {age: 7 days}, do: warn", `rules[0].when.age: "7 days" is not a duration (7d)`},
		{"when: {age: 1.5h}, do: warn", `rules[0].when.age: "1.5h" is not a duration (1h30m)`},
		{"when: {age: 240}, do: warn", `rules[0].when.age: "240" is not a duration (such as 90s, 15m, 2h, 3d)`},
		{"keep: {newest: 2}, rest: stop", `rules[0].each: is missing beside keep (container or project: what is counted?)`},
		{"when: {ended: 1d, idle: 1h}, do: remove", `rules[0].when: never holds: ended is of those that do not run, idle of those that do`},
		{"when: {ended: 1d}, do: stop", `rules[0].when.ended: ended with stop has no effect (remove)`},
		{"when: {ended: 1d}, do: throttle", `rules[0].when.ended: ended with throttle has no effect (remove)`},
		{"hours: 22:00-07:00, do: warn", `rules[0].hours: hours is specified for later, not built`},
		{"max: 1 per 1h, do: warn", `rules[0].max: max is specified for later, not built`},
		{"first: oldest, do: warn", `rules[0].first: first is specified for later, not built`},
		{"when: {pressure: {memory_left: 5%}}, do: warn", `rules[0].when.pressure: pressure is specified for later, not built`},
		{"when: {unhealthy: 1m}, do: warn", `rules[0].when.unhealthy: unhealthy is specified for later, not built`},
		{"when: {holder_gone: a}, do: warn", `rules[0].when.holder_gone: holder_gone is specified for later, not built`},
		{"when: {lease: a, for: 1m}, do: warn", `rules[0].when.lease: lease is specified for later, not built`},
		{"match: {name: a, not: {label: b}}, do: warn", `rules[0].match.not: not is no word here (a keep rule above, or protect)`},
	} {
		expectOfRule(t, c.keys, c.want)
	}
}

func TestErrorsOfTheTopLevel(t *testing.T) {
	long := "version: 2\nrules:\n"
	for i := range 101 {
		long += fmt.Sprintf("  - {name: r%d, do: warn}\n", i)
	}
	many := "[" + strings.Repeat("{label: a}, ", 201) + "]\n"

	for _, c := range []struct{ text, want string }{
		{"rules: []\n", `version: is missing (write version: 2 as the first line)`},
		{"version: 3\n", `line 1: version: 3 is not supported (write version: 2)`},
		{"version: two\n", `line 1: version: two is not a whole number (write version: 2)`},
		{"version: \"2\"\n", `line 1: version: "2" is not a whole number (write version: 2)`},
		{"version:\n", `line 1: version: has no value (write version: 2)`},
		{"version: 2\nmode: on\n", `line 2: mode: "on" is not known (one of: observe, enforce)`},
		{"version: 2\nmode: true\n", `line 2: mode: true is not a word (quote it if it is meant as text)`},
		{"version: 2\nmode:\n", `line 2: mode: has no value (remove the key to take the default; [] and {} mean none)`},
		{"version: 2\ntick: 500ms\n", `line 2: tick: 500ms is out of range (from 1s to 1h)`},
		{"version: 2\ntick: 2h\n", `line 2: tick: 2h is out of range (from 1s to 1h)`},
		{"version: 2\nown:\n", `line 2: own: has no value (remove the key for Gestor's own containers; [] owns nothing)`},
		{"version: 2\nown: {label: a}\n", `line 2: own: is not a list ([one, two] or one line per entry, each beginning with a dash)`},
		{"version: 2\nown: [docker-mcp=true]\n", `line 2: own[0]: docker-mcp=true is not a block of key: value lines (such as {label: KEY=VALUE})`},
		{"version: 2\nown: " + many, `line 2: own: 201 selectors: own has at most 200`},
		{"version: 2\nown: []\nprotect: " + many, `line 3: protect: 201 selectors: protect has at most 200`},
		{"version: 2\nprotect: [{label: gestor.managed}]\n", `line 2: protect[0]: protects everything that is owned (use mode: observe)`},
		{"version: 2\nown: [{image: a/b}]\nprotect: [{label: a}, {image: a/*}]\n", `line 3: protect[1]: protects everything that is owned (use mode: observe)`},
		{"version: 2\nown: [{label: a}, {project: b}]\nprotect: [{label: a}, {project: \"*\"}]\n", `line 3: protect: protects everything that is owned (use mode: observe)`},
		{"version: 2\nprotect: [{name: \"*\"}]\n", `line 2: protect[0]: protects everything that is owned (use mode: observe)`},
		{"version: 2\nprotect: {label: a}\n", `line 2: protect.label: stands in no list (protect: [{label: a}])`},
		{"version: 2\nrules: [x]\n", `line 2: rules[0]: x is not a block of key: value lines (such as {name: old, when: {age: 4h}, do: remove})`},
		{long, `line 2: rules: 101 rules: a policy has at most 100`},
		{"version: 2\nage: 4h\n", `line 2: age: is a condition (when: {age: 4h})`},
		{"version: 2\ndo: stop\n", `line 2: do: is a key of a rule (beside name)`},
		{"version: 2\nlabel: a\n", `line 2: label: is a selector (own: [{label: a}])`},
		{"version: 2\ntik: 1s\n", `line 2: tik: is not a key of a policy (did you mean tick?)`},
		{"version: 2\nzzzzzz: 1s\n", `line 2: zzzzzz: is not a key of a policy (one of: act, buckets, budget, gates, idle, images, ` +
			`mode, own, protect, rank, rules, surprise, tick, version, warmup, young)`},
		{"version: 2\ntick: 5s\ntick: 6s\n", `line 3: tick: stands twice, first on line 2 (keep one)`},
		{"version: 2\nsurprise: 30\n", `line 2: surprise: 30 is not a percent (30%)`},
		{"version: 2\nsurprise: 30.5%\n", `line 2: surprise: 30.5% is not a whole percent (such as 30%)`},
		{"version: 2\nsurprise: all\n", `line 2: surprise: "all" is not a whole percent (such as 30%)`},
		{"version: 2\nsurprise: 0%\n", `line 2: surprise: 0% is out of range (from 1% to 100%)`},
		{"version: 2\nsurprise: 101%\n", `line 2: surprise: 101% is out of range (from 1% to 100%)`},
		{"version: 2\nidle: 15m\n", `line 2: idle: 15m is not a block of key: value lines (such as {cpu: 0.1%, net: 100})`},
		{"version: 2\nidle: {cpu: 0.1}\n", `line 2: idle.cpu: "0.1" is not a percent (0.1%)`},
		{"version: 2\nidle: {cpu: 0.125%}\n", `line 2: idle.cpu: "0.125%" is not a percent (such as 50%, with at most two decimals)`},
		{"version: 2\nidle: {cpu: 101%}\n", `line 2: idle.cpu: 101% is out of range (from 0% to 100%)`},
		{"version: 2\nidle: {net: 1kB}\n", `line 2: idle.net: "1kB" is not a size (such as 512MiB or 2GiB, a plain number is bytes)`},
		{"version: 2\nidle: {net: 2GiB}\n", `line 2: idle.net: 2GiB is out of range (from 0 to 1GiB)`},
		{"version: 2\nrank: [cpu, ram, vsz]\n", `line 2: rank: [cpu ram vsz] does not name each measure once (cpu, ram, vsz and rss in the order that counts)`},
		{"version: 2\nbuckets: {cpu_millicores: 0}\n", `line 2: buckets.cpu_millicores: must be at least 1 (1 compares every milli-core, 10 is the default)`},
		{"version: 2\nbuckets: {ram_kb: 0}\n", `line 2: buckets.ram_kb: must be at least 1 (1 compares every KiB, 1024 is the default)`},
		{"version: 2\nwarmup: 1001\n", `line 2: warmup: 1001 is out of range (from 0 to 1000)`},
		{"version: 2\nwarmup: 1.5\n", `line 2: warmup: 1.5 is not a whole number (digits only, in the unit that the key's name says)`},
		{"version: 2\nyoung: {max: 0}\n", `line 2: young.max: must be at least 1 (it is a number of containers; a large one never takes effect)`},
		{"version: 2\nyoung: {memory_floor_kb: -1}\n", `line 2: young.memory_floor_kb: -1 is out of range (a whole number from 0 upwards)`},
		{"version: 2\nimages: {a: Low}\n", `line 2: images.a: "Low" is not a class (a word of a-z, 0-9 and -, at most 32 of them)`},
		{"version: 2\nimages: {\"a b\": low}\n", `line 2: images.a b: is not an image name (repository or repository:tag)`},
		{"version: 2\ngates: {settle: 2h}\n", `line 2: gates.settle: 2h is out of range (from 0s to 1h)`},
		{"version: 2\ngates: {max_bad_rows_percent: 101}\n", `line 2: gates.max_bad_rows_percent: 101 is out of range (from 0 to 100)`},
		{"version: 2\ngates: {min_interval_percent: 0}\n", `line 2: gates.min_interval_percent: 0 is out of range (from 1 to 100)`},
		{"version: 2\ngates: {max_interval_percent: 99}\n", `line 2: gates.max_interval_percent: 99 is out of range (from 100 to 10000)`},
		{"version: 2\ngates: {degraded_after: 0}\n", `line 2: gates.degraded_after: must be at least 1 (ticks in a row)`},
		{"version: 2\ngates: {alarm_after: 2}\n", `line 2: gates.alarm_after: 2 comes before gates.degraded_after 3 (an alarm is the later step)`},
		{"version: 2\nact: {calls: [throttle, kill, remove]}\n", `line 2: act.calls: throttle is a step of a rule (do: throttle)`},
		{"version: 2\nact: {calls: [pause, kill, remove]}\n", `line 2: act.calls[0]: "pause" is not known (one of: stop, kill, remove)`},
		{"version: 2\nact: {calls: [kill, stop, remove]}\n", `line 2: act.calls[1]: "stop" stands after "kill" (the order is stop, kill, remove, each at most once)`},
		{"version: 2\nact: {calls: [stop, remove, remove]}\n", `line 2: act.calls[2]: "remove" stands twice`},
		{"version: 2\nact: {calls: [stop]}\n", `line 2: act.calls: does not end with remove (a stopped container still holds its name and its disk)`},
		{"version: 2\nact: {calls: [remove]}\n", `line 2: act.calls: has neither stop nor kill (a running container cannot be removed; [stop, remove] is the default)`},
		{"version: 2\nact: {grace: 31s}\n", `line 2: act.grace: 31s is out of range (from 0s to 30s)`},
		{"version: 2\nact: {deadline: 11m}\n", `line 2: act.deadline: 11m is out of range (from 1s to 10m)`},
		{"version: 2\nact: {parallel: 65}\n", `line 2: act.parallel: 65 is out of range (from 1 to 64)`},
		{"version: 2\nact: {throttle_millicores: 9}\n", `line 2: act.throttle_millicores: must be at least 10 (the kernel's smallest quota)`},
		{"version: 2\nact: {stuck_after: 0}\n", `line 2: act.stuck_after: must be at least 1 (failures in a row)`},
		{"version: 2\nact: {breaker_after: 0}\n", `line 2: act.breaker_after: must be at least 1 (engine errors in a row)`},
		{"version: 2\nact: {futile_after: 0}\n", `line 2: act.futile_after: must be at least 1 (returns of the same name)`},
	} {
		expect(t, c.text, c.want)
	}
}

func TestErrorsOfTheBudget(t *testing.T) {
	for _, c := range []struct{ budget, want string }{
		{"[5/tick]", `budget: "5/tick" is not a rate (N per tick, N per 1m)`},
		{"5/tick", `budget: "5/tick" is not a rate (N per tick, N per 1m)`},
		{"5 per tick", `budget: is not a list (budget: [5 per tick])`},
		{"{tick: 5}", `budget: is not a list ([one, two] or one line per entry, each beginning with a dash)`},
		{"[30 per 1h, 30 per 60m]", `budget[1]: stands twice: 60m is 1h`},
		{"[30 per 1h, 30 per 1h]", `budget[1]: stands twice: 1h`},
		{"[3 per tick, 4 per tick]", `budget[1]: stands twice: tick`},
		{"[20 per 1m, 50 per tick]", `budget[0]: 20 per 1m is below 50 per tick`},
		{"[50 per tick, 30 per 1m]", `budget[1]: 30 per 1m is below 50 per tick`}, // written, although it is the default
		{"[50% per 1h]", `budget: 50% per 1h: percentages are specified for later, not built`},
		{"[0 per tick]", `budget: 0 per tick is out of range (N from 1 to 10000)`},
		{"[5 per 30s]", `budget: 5 per 30s is out of range (per tick, or a time from 1m to 7d)`},
		{"[1 per 2h, 1 per 3h, 1 per 4h, 1 per 5h, 1 per 6h, 1 per 7h, 1 per 8h, 1 per 9h, 1 per 10h]", `budget: 9 rates: a budget has at most 8`},
	} {
		expect(t, "version: 2\nbudget: "+c.budget+"\n", "line 2: "+c.want)
	}
}

func TestErrorsOfSelectors(t *testing.T) {
	const all = ` owns every container of this host (say whom: a label, an image; label: com.docker.compose.project is all of compose)`
	for _, c := range []struct{ text, want string }{
		{"own: [{}]\n", `own[0]: matches everything: say what`},
		{"protect: [{}]\n", `protect[0]: matches everything: say what`},
		{"own: [{label: a}, {name: [web, \"*\"]}]\n", `own[1].name[1]: "*"` + all},
		{"own: [{project: \"*\"}]\n", `own[0].project: "*"` + all},
		{"own: [{network: \"?*\"}]\n", `own[0].network: "?*"` + all},
		{"own: [{image: \"**\", name: \"*\"}]\n", `own[0].image: "**"` + all},
		{"own: [{name: [*a, b]}]\n", `own[0].name[0]: a glob that begins with * needs quotes: "*a"`},
		{"own: [{label: *a}]\n", `own[0].label: anchors, aliases and tags are not part of a policy (write the value itself)`},
		{"protect: [{socket: true}]\n", `protect[0].socket: stands in own only`},
		{"protect: [{name: a, image: b, project: c}]\n", `protect[0]: 3 keys protect only what has all of them (write a selector for each)`},
	} {
		expect(t, "version: 2\n"+c.text, "line 2: "+c.want)
	}
	expect(t, "version: 2\nown: [{name: *}]\n", `line 2: a glob that begins with * needs quotes: "*"`) // which is no YAML at all

	for _, c := range []struct{ match, want string }{
		{"{}", `: matches everything: say what`},
		{"[]", `: matches nothing (leave it out to mean every own one)`},
		{"web", `: web is not a block of key: value lines (such as {label: KEY=VALUE})`},
		{"[{name: a}, {}]", `[1]: matches everything: say what`},
		{"[{}]", `: matches everything: say what`},
		{"{socket: true}", `.socket: stands in own only`},
		{"{name: a, socket: false}", `.socket: false is what holds without the key (remove it)`},
		{"{label: }", `.label: has no value (write one, or remove the key)`},
		{"{label: ''}", `.label: "" is not a label (KEY or KEY=GLOB)`},
		{"{label: a b}", `.label: "a b" is not a label (KEY or KEY=GLOB)`},
		{"{label: {a: b}}", `.label: "{a: b}" is not a label (KEY or KEY=GLOB)`},
		{"{labels: [a]}", `.labels: labels takes 2 to 16, not 1 (label: for one)`},
		{"{labels: a}", `.labels: is not a list ([one, two] or one line per entry, each beginning with a dash)`},
		{"{labels: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q]}", `.labels: labels takes 2 to 16, not 17`},
		{"{labels: [a, b*]}", `.labels[1]: the key of a label takes no glob (write it out)`},
		{"{name: []}", `.name: matches nothing (leave it out, or say which)`},
		{"{name: ''}", `.name: matches nothing (leave it out, or say which)`},
		{"{class: []}", `.class: matches nothing (leave it out, or say which)`},
		{"{name: 5}", `.name: 5 is not a word (quote it if it is meant as text)`},
		{"{name: /web}", `.name: "/web" can never match: a name has no slash (web)`},
		{"{image: \"a\\tb\"}", `.image: "a\tb" is not a glob (characters that can be printed)`},
		{"{class: [low, High]}", `.class[1]: "High" is not a class (a word of a-z, 0-9 and -, at most 32 of them)`},
		{"{nam: a}", `.nam: is not a key of a policy (did you mean name?)`},
		{"{age: 4h}", `.age: is a condition (when: {age: 4h})`},
	} {
		expectOfRule(t, "match: "+c.match+", do: warn", "rules[0].match"+c.want)
	}
}

func TestErrorsOfRules(t *testing.T) {
	for _, c := range []struct{ keys, want string }{
		{"when: {age: 1h}", `rules[0]: needs do, or keep with rest`},
		{"each: container, keep: {newest: 1}", `rules[0]: needs do, or keep with rest`},
		{"rest: stop", `rules[0]: needs do, or keep with rest`},
		{"do: stop, rest: stop", `rules[0].rest: stands without keep (do)`},
		{"do: stop, each: container, keep: {newest: 1}, rest: stop", `rules[0]: has do and keep (what becomes of the others is called rest)`},
		{"each: container, keep: {newest: 1}, rest: keep", `rules[0].rest: keep leaves the rule without effect (remove the rule)`},
		{"each: container, keep: {}, rest: stop", `rules[0].keep: keeps nothing (give it a number, or use do)`},
		{"each: container, keep: {newest: 0}, rest: stop", `rules[0].keep: keeps nothing (give it a number, or use do)`},
		{"each: container, keep: {per: image}, rest: stop", `rules[0].keep: keeps nothing (give it a number, or use do)`},
		{"each: container, keep: {newest: 10001}, rest: stop", `rules[0].keep.newest: 10001 is out of range (from 1 to 10000)`},
		{"each: container, keep: {newest: two}, rest: stop", `rules[0].keep.newest: two is not a whole number (digits only, in the unit that the key's name says)`},
		{"each: container, keep: 2, rest: stop", `rules[0].keep: 2 is not a block of key: value lines (such as {newest: 2})`},
		{"each: container, keep: {lightest: 1, heaviest: 2}, rest: stop", `rules[0].keep: two ends: lightest and heaviest (a version 1 file with classify: rank)`},
		{"each: container, keep: {heaviest: 1, lightest: 2}, rest: stop", `rules[0].keep: two ends: lightest and heaviest (a version 1 file with classify: rank)`},
		{"each: container, keep: {newest: 1, oldest: 2}, rest: stop", `rules[0].keep: two ends: newest and oldest (one of them)`},
		{"each: container, keep: {newest: 1, lightest: 2}, rest: stop", `rules[0].keep: two orders: newest and lightest (one of them)`},
		{"each: container, keep: {newest: 1, lightest: 2, oldest: 3}, rest: stop", `rules[0].keep: 3 orders (one of lightest, heaviest, newest, oldest)`},
		{"each: container, keep: {newest: 1, per: owner}, rest: stop", `rules[0].keep.per: per "owner" is not known (project, image, class or label KEY)`},
		{"each: container, keep: {newest: 1, per: label a*}, rest: stop", `rules[0].keep.per: the key of a label takes no glob (write it out)`},
		{"each: project, keep: {newest: 1, per: project}, rest: stop", `rules[0].keep.per: per project within each: project keeps every one`},
		{"each: container, keep: {newest: 1, age: 3d}, rest: stop", `rules[0].keep.age: is a condition (rest_when: {age: 3d})`},
		{"each: container, keep: {newest: 1}, age: 3d, rest: stop", `rules[0].age: is a condition (rest_when: {age: 3d})`},
		{"each: image, do: stop", `rules[0].each: "image" is not known (one of: container, project)`},
		{"do: stop, newest: 2", `rules[0].newest: is a part of keep (keep: {newest: 2})`},
		{"do: stop, per: image", `rules[0].per: is a part of keep (keep: {per: image})`},
		{"doo: stop", `rules[0].doo: is not a key of a policy (did you mean do?)`},
		{"do:", `rules[0].do: has no value (write one, or remove the key)`},

		{"do: stop, calm: 10m", `rules[0].calm: calm stands without throttle`},
		{"do: throttle, calm: 0s", `rules[0].calm: 0s is out of range (from 1m to 7d)`},
		{"do: throttle, calm: 8d", `rules[0].calm: 8d is out of range (from 1m to 7d)`},
		{"do: throttle, until: 10m", `rules[0].until: until is called calm`},
		{"of: {name: a}, do: stop", `rules[0].of: of is called match`},
		{"do: stop, volumes: anonymous", `rules[0].volumes: volumes stands without remove`},
		{"do: remove, volumes: keep", `rules[0].volumes: keep is what happens without the key`},
		{"do: remove, volumes: all", `rules[0].volumes: "all" is not known (anonymous)`},
		{"do: remove, volumes: ''", `rules[0].volumes: "" is not known (anonymous)`},
		{"do: warn, rm: remove", `rules[0].rm: rm stands without stop`},
		{"do: remove, rm: remove", `rules[0].rm: rm stands beside remove (a stop there may delete it anyway)`},
		{"do: stop, rm: warn", `rules[0].rm: warn is what happens without the key`},

		{"do: [remove, {after: 1h, do: stop}]", `rules[0].do[1]: "stop" stands after "remove"`},
		{"do: [stop, {after: 1h, do: stop}]", `rules[0].do[1]: "stop" stands twice`},
		{
			"do: [warn, {after: 1h, do: throttle}, {after: 1h, do: stop}, {after: 1h, do: remove}, {after: 1h, do: remove}]",
			`rules[0].do: 5 steps: a ladder has at most 4`,
		},
		{"do: [warn, stop]", `rules[0].do[1].after: a notice without a wait is no notice (after: 1m or more)`},
		{"do: [warn, {after: 0s, do: stop}]", `rules[0].do[1].after: a notice without a wait is no notice (after: 1m or more)`},
		{"do: [warn, {after: 59s, do: stop}]", `rules[0].do[1].after: 59s behind warn: too short for a notice (1m or more)`},
		{"do: [stop, remove]", `rules[0].do[1].after: is missing ({after: 10m, do: remove})`},
		{"do: [stop, {after: 500ms, do: remove}]", `rules[0].do[1].after: 500ms is out of range (from 10s to 365d)`},
		{"do: [stop, {after: 9s, do: remove}]", `rules[0].do[1].after: 9s is out of range (from 10s to 365d)`},
		{"do: [throttle, {after: 8h, do: stop}]", `rules[0].do[1].after: 8h behind throttle: a throttle ends after 6h (6h or less)`},
		{"do: [keep, {after: 1h, do: stop}]", `rules[0].do[1]: keep stands alone (a rule of its own)`},
		{"do: []", `rules[0].do: has no step (keep, warn, throttle, stop, remove)`},
		{"do: {after: 1h, do: stop}", `rules[0].do.after: stands on the first step (it counts from the step before; see for)`},
		{"do: {do: stop}", `rules[0].do: the first step is a bare word (such as [warn, {after: 24h, do: stop}])`},
		{"do: [warn, {after: 1h}]", `rules[0].do[1].do: is missing (keep, warn, throttle, stop, remove)`},
		{"do: [warn, {after: 1h, do: stop, rm: remove}]", `rules[0].do[1].rm: is a key of a rule (beside name)`},
		{"do: [warn, {after: 1h, do: stop, wait: 2h}]", `rules[0].do[1].wait: is not a key of a policy (one of: after, do)`},
		{"when: {age: 4h, do: stop}", `rules[0].when.do: is a key of a rule (beside name)`},
		{"match: {name: a, each: container}, keep: {newest: 1}, rest: stop", `rules[0].match.each: is a key of a rule (beside name)`},
		{"do: throttle 50%", `rules[0].do: "throttle 50%" is not a step (throttle, or throttle to 50%)`},
		{"do: [warn, [stop]]", `rules[0].do[1]: "[stop]" is not a step (keep, warn, throttle, stop, remove)`},
		{"do: throttle to 0%", `rules[0].do: throttle to 0% is out of range (from 1% to 10000%)`},
		{"do: throttle to 10001%", `rules[0].do: throttle to 10001% is out of range (from 1% to 10000%)`},
	} {
		expectOfRule(t, c.keys, c.want)
	}

	expect(t, "version: 2\nrules:\n  - {do: warn}\n  - {name: a, do: warn}\n  - name: a\n    do: warn\n  - {name: ' ', do: warn}\n  - {name: \"a\\nb\", do: warn}\n",
		`line 3: rules[0].name: is missing`,
		`line 5: rules[2].name: stands twice, first on line 4`,
		`line 7: rules[3].name: is missing`,
		`line 8: rules[4].name: "a\nb" is not a name (characters that can be printed)`)
	expect(t, "version: 2\nrules: [{name: "+strings.Repeat("é", 49)+", do: warn}]\n", `line 2: rules[0].name: 49 characters: a name has at most 48`)
}

func TestErrorsOfConditions(t *testing.T) {
	for _, c := range []struct{ keys, want string }{
		{
			"each: container, keep: {newest: 1}, when: {age: 1h}, rest: stop",
			`rules[0].when: stands beside keep (rest_when: when the rest goes; keep counts all that match names)`,
		},
		{"rest_when: {age: 1h}, do: stop", `rules[0].rest_when: stands without keep (when)`},
		{"when: {}, do: stop", `rules[0].when: is empty (leave it out to mean always)`},
		{"each: container, keep: {newest: 1}, rest_when: {}, rest: stop", `rules[0].rest_when: is empty (leave it out to mean always)`},
		{"when: 4h, do: stop", `rules[0].when: 4h is not a block of key: value lines (such as {age: 4h})`},
		{"when: {for: 1h}, do: stop", `rules[0].when.for: for stands alone (what must hold that long?)`},
		{
			"each: container, keep: {newest: 1}, rest_when: {ended: 1d}, rest: remove",
			`rules[0].rest_when.ended: never holds: keep counts those that run (a rule with when: {ended: 1d})`,
		},

		{"when: {cpu: 150%}, do: stop", `rules[0].when.cpu: cpu decides over life without for (add for: 1m or more)`},
		{"when: {ram: 1GiB}, do: [warn, {after: 1h, do: remove}]", `rules[0].when.ram: ram decides over life without for (add for: 1m or more)`},
		{
			"each: container, keep: {newest: 1}, rest_when: {restarts: 5 in 10m}, rest: stop",
			`rules[0].rest_when.restarts: restarts decides over life without for (add for: 1m or more)`,
		},
		{"when: {idle: 15m, for: 1h}, do: stop", `rules[0].when.idle: 15m with for: 1h (idle already lasts; remove for)`},
		{"when: {age: 15m, for: 1h}, do: stop", `rules[0].when.age: 15m with for: 1h (age already lasts; remove for)`},
		{"when: {ended: 15m, for: 1h}, do: remove", `rules[0].when.ended: 15m with for: 1h (ended already lasts; remove for)`},
		{"when: {expired: ci.ttl, for: 1h}, do: remove", `rules[0].when.expired: ci.ttl with for: 1h (expired already lasts; remove for)`},
		{"when: {ended: 1d, cpu: 1%}, do: warn", `rules[0].when: never holds: ended is of those that do not run, cpu of those that do`},
		{"when: {ended: 1d, ram: 1%}, do: warn", `rules[0].when: never holds: ended is of those that do not run, ram of those that do`},
		{"when: {ended: 1d, processes: 1}, do: warn", `rules[0].when: never holds: ended is of those that do not run, processes of those that do`},
		{"when: {ended: 1d, restarts: 1 in 1m}, do: warn", `rules[0].when: never holds: ended is of those that do not run, restarts of those that do`},

		{"when: {label: a, age: 4h}, do: stop", `rules[0].when.label: is a selector (match: {label: a})`},
		{"when: {age: }, do: stop", `rules[0].when.age: has no value (write one, or remove the key)`},
		{"when: {age: 1d 2h}, do: warn", `rules[0].when.age: "1d 2h" is not a duration (1d2h)`},
		{"when: {age: 2h1d}, do: warn", `rules[0].when.age: "2h1d" is not a duration (1d2h)`},
		{"when: {age: soon}, do: warn", `rules[0].when.age: "soon" is not a duration (such as 90s, 15m, 2h, 3d)`},
		{"when: {age: [1h]}, do: warn", `rules[0].when.age: "[1h]" is not a duration (such as 90s, 15m, 2h, 3d)`},
		{"when: {idle: 0s}, do: warn", `rules[0].when.idle: 0s is out of range (from 1m to 90d)`},
		{"when: {ended: 500ms}, do: warn", `rules[0].when.ended: 500ms is out of range (from 1m to 3650d)`},
		{"when: {cpu: 0%}, do: warn", `rules[0].when.cpu: 0% is out of range (1% or more)`},
		{"when: {cpu: 50.125%}, do: warn", `rules[0].when.cpu: "50.125%" is not a percent (such as 50%, with at most two decimals)`},
		{"when: {cpu: 0.5}, do: warn", `rules[0].when.cpu: "0.5" is not a percent (50% is half a core)`},
		{"when: {ram: 512}, do: warn", `rules[0].when.ram: "512" is neither a size nor a percent (such as 512MiB, or 10% of the host's memory)`},
		{"when: {ram: 2 GB}, do: warn", `rules[0].when.ram: "2 GB" is neither a size nor a percent (such as 512MiB, or 10% of the host's memory)`},
		{"when: {ram: 0%}, do: warn", `rules[0].when.ram: 0% is out of range (whole KiB, or a percent up to 100%)`},
		{"when: {ram: 0MiB}, do: warn", `rules[0].when.ram: 0MiB is out of range (whole KiB, or a percent up to 100%)`},
		{"when: {processes: 0}, do: warn", `rules[0].when.processes: 0 is out of range (from 1 to 1000000)`},
		{"when: {processes: many}, do: warn", `rules[0].when.processes: many is not a whole number (digits only, in the unit that the key's name says)`},
		{"when: {restarts: 0 in 0s}, do: warn", `rules[0].when.restarts: 0 in 0s is out of range (1 in 1m to 100 in 1d)`},
		{"when: {expired: ''}, do: warn", `rules[0].when.expired: "" is not the key of a label (such as ci.ttl)`},
		{"when: {expired: a=b}, do: warn", `rules[0].when.expired: "a=b" is not the key of a label (such as ci.ttl)`},
		{"when: {expired: ci.*}, do: warn", `rules[0].when.expired: the key of a label takes no glob (write it out)`},
	} {
		expectOfRule(t, c.keys, c.want)
	}
}

func TestKeysOfVersion1(t *testing.T) {
	expect(t, `version: 2
quota: {low: 3}
classify: rank
caps: {per_tick: 1}
protect:
  names: [a]
  labels: [b]
act:
  ladder: [kill, remove]
  throttle_ticks: 1
`,
		`line 2: quota: is a key of version 1 (write a rule with keep: {lightest: 3})`,
		`line 3: classify: is a key of version 1 (write a rule with match: {class: low})`,
		`line 4: caps: is a key of version 1 (write budget: [20 per tick, 60 per 1m])`,
		`line 6: protect.names: is a key of version 1 (write a selector for each: protect: [{name: …}])`,
		`line 7: protect.labels: is a key of version 1 (write a selector for each: protect: [{label: …}])`,
		`line 9: act.ladder: is a key of version 1 (is called act.calls)`,
		`line 10: act.throttle_ticks: is a key of version 1 (a rule with do: throttle and calm)`)
}

// TestWhatNoPolicyHolds: the other ways of YAML to say a value.
func TestWhatNoPolicyHolds(t *testing.T) {
	const what = ": anchors, aliases and tags are not part of a policy (write the value itself)"
	expect(t, "version: 2\nrules:\n  - &a {name: x, do: stop}\n  - *a\n  - !!map {name: y}\n  - ~\n",
		"line 3: rules[0]"+what, "line 4: rules[1]"+what, "line 5: rules[2]"+what, "line 6: rules[3]: has no value (write one, or remove the dash)")
	expect(t, "version: 2\nmode: enforce\n---\nversion: 2\n", "line 3: holds more than one document (remove what follows ---)")
	expect(t, "version: 2\nrules: [\n", "line 2: is not YAML: sequence end token ']' not found (check indentation, colons and quotes)")
	expect(t, "version: 1\nown: [{name: *}]\n", "line 2: is not YAML: unexpected scalar value type (check indentation, colons and quotes)")
}

// TestTenMistakesAtOnce: all are said, each once, in the order of the lines, and none that only follows from another.
func TestTenMistakesAtOnce(t *testing.T) {
	expect(t, `version: 2
mode: on
own: [{name: "*"}]
protect:
  - {project: p, image: redis*}
budget: [5/tick]
rules:
  - name: idle
    when: {idle: 7 days, cpu: 200}
    do: [warn, stop]
  - name: idle
    keep: {newest: 2}
    rest: delete
  - {name: hogs, cpu: 150%, do: throttle to 0.5, calm: 10m}
`,
		`line 2: mode: "on" is not known (one of: observe, enforce)`,
		`line 3: own[0].name: "*" owns every container of this host (say whom: a label, an image; label: com.docker.compose.project is all of compose)`,
		`line 5: protect[0]: two keys protect only what has both (write two selectors)`,
		`line 6: budget: "5/tick" is not a rate (N per tick, N per 1m)`,
		`line 9: rules[0].when.idle: "7 days" is not a duration (7d)`,
		`line 9: rules[0].when.cpu: 200 is not a percent (200% is two cores)`,
		`line 10: rules[0].do[1].after: a notice without a wait is no notice (after: 1m or more)`,
		`line 11: rules[1].name: stands twice, first on line 8`,
		`line 11: rules[1].each: is missing beside keep (container or project: what is counted?)`,
		`line 13: rules[1].rest: "delete" is not a step (keep, warn, throttle, stop, remove)`,
		`line 14: rules[2].cpu: is a condition (when: {cpu: 150%})`,
		`line 14: rules[2].do: "0.5" is not a percent (50% is half a core)`,
	)
}

// TestWhatCouldNotBeReadIsNotJudged: a rule may have in it what is missing, and a value what makes it sensible.
func TestWhatCouldNotBeReadIsNotJudged(t *testing.T) {
	for _, c := range []struct{ keys, want string }{
		{"do: delete, calm: 10m, volumes: anonymous, rm: remove", `rules[0].do: "delete" is not a step (keep, warn, throttle, stop, remove)`},
		{"when: {cpu: 150%, for: 5 minutes}, do: stop", `rules[0].when.for: "5 minutes" is not a duration (5m)`},
		{"when: {cpu: 200, for: 5m}, do: stop", `rules[0].when.cpu: 200 is not a percent (200% is two cores)`},
		{"when: {cpu: 200, idle: 5m, for: 5m}, do: stop", `rules[0].when.cpu: 200 is not a percent (200% is two cores)`},
		{"match: {label: a*}, do: stop", `rules[0].match.label: the key of a label takes no glob (write it out)`},
		{"each: pod, keep: {newest: 1}, rest: stop", `rules[0].each: "pod" is not known (one of: container, project)`},
		{"each: container, keap: {newest: 1}, rest: stop, rest_when: {age: 1h}", `rules[0].keap: is not a key of a policy (did you mean keep?)`},
		{"do: [warn, {after: 1 day, do: stop}]", `rules[0].do[1].after: "1 day" is not a duration (1d)`},
	} {
		expectOfRule(t, c.keys, c.want)
	}
	expect(t, "version: 2\nown: [{name: \"*\", label: a*}]\n", `line 2: own[0].label: the key of a label takes no glob (write it out)`)
}

// TestBoundsAreThoseOfTheDocument: what a reader says of a value that cannot be written at all is what Validate says of others.
func TestBoundsAreThoseOfTheDocument(t *testing.T) {
	for key, values := range map[string]string{"age": "0s 59s", "idle": "0s 59s", "ended": "0s 59s", "for": "0s 9s", "cpu": "0% 0.5%", "ram": "0% 101%"} {
		for value := range strings.FieldsSeq(values) {
			rest := ""
			if key == "for" {
				rest = "cpu: 1%, "
			}
			expectOfRule(t, fmt.Sprintf("when: {%s%s: %s}, do: warn", rest, key, value),
				fmt.Sprintf("rules[0].when.%s: %s is out of range (%s)", key, value, policy2.Bounds(key)))
		}
	}
}
