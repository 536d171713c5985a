package policyfile

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// secondsOf is a duration of version 2 as those parts of a policy have it that both versions share.
func secondsOf(d policy2.Duration) contract.Duration {
	return contract.Duration(time.Duration(d) * time.Second)
}

// format2 writes a policy of version 2: every key on a line of its own, every rule, and their values as people write them.
func format2(p policy2.Policy) []byte {
	var b bytes.Buffer
	line := func(key, value string) { fmt.Fprintf(&b, "%s: %s\n", key, value) }
	line("version", fmt.Sprint(p.Version))
	line("mode", string(p.Mode))
	line("tick", p.Tick.String())

	lines(&b, "own", p.Own, SelectorText)
	lines(&b, "protect", p.Protect, SelectorText)
	lines(&b, "rules", p.Rules, RuleText)

	line("budget", budgetText(p.Budget))
	line("surprise", fmt.Sprintf("%d%%", p.Surprise))
	line("idle", flow("cpu", p.Idle.CPU.String(), "net", p.Idle.Net.String()))

	line("rank", list(p.Rank, func(k contract.Key) string { return string(k) }))
	line("buckets", flow("cpu_millicores", fmt.Sprint(p.Buckets.CPUMillicores), "ram_kb", fmt.Sprint(p.Buckets.RAMKB)))
	line("warmup", fmt.Sprint(p.Warmup))
	line("gates", gatesText(p.Gates))
	line("young", flow("max", fmt.Sprint(p.Young.Max), "memory_floor_kb", fmt.Sprint(p.Young.MemoryFloorKB)))
	images(&b, p.Images)
	line("act", actText(p.Act))
	return b.Bytes()
}

// lines writes a list with one line an entry.
func lines[T any](b *bytes.Buffer, key string, entries []T, text func(T) string) {
	if len(entries) == 0 {
		fmt.Fprintf(b, "%s: []\n", key)
		return
	}

	fmt.Fprintf(b, "%s:\n", key)
	for _, e := range entries {
		fmt.Fprintf(b, "  - %s\n", text(e))
	}
}

func images(b *bytes.Buffer, classes map[string]contract.Class) {
	if len(classes) == 0 {
		b.WriteString("images: {}\n")
		return
	}

	b.WriteString("images:\n")
	for _, image := range slices.Sorted(maps.Keys(classes)) {
		fmt.Fprintf(b, "  %s: %s\n", quoted(image), quoted(string(classes[image])))
	}
}

// flow writes a mapping in one line; keys and values take turns, and those without a value are left out.
func flow(pairs ...string) string {
	var out []string
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out = append(out, pairs[i]+": "+pairs[i+1])
		}
	}
	return "{" + strings.Join(out, ", ") + "}"
}

func list[T any](entries []T, text func(T) string) string {
	out := make([]string, len(entries))
	for i, e := range entries {
		out[i] = text(e)
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// oneOrList writes a list of one entry as that entry, and nothing for none.
func oneOrList[T any](entries []T, text func(T) string) string {
	switch len(entries) {
	case 0:
		return ""
	case 1:
		return text(entries[0])
	default:
		return list(entries, text)
	}
}

// SelectorText writes a selector in one line, as an entry of own, protect or match.
func SelectorText(s policy2.Selector) string {
	var label, labels, socket string
	if s.Label != nil {
		label = quoted(s.Label.String())
	}
	if len(s.Labels) > 0 {
		labels = list(s.Labels, func(l policy2.Label) string { return quoted(l.String()) })
	}
	if s.Socket {
		socket = "true"
	}

	return flow("label", label, "labels", labels, "network", oneOrList(s.Network, quoted), "image", oneOrList(s.Image, quoted),
		"name", oneOrList(s.Name, quoted), "project", oneOrList(s.Project, quoted),
		"class", oneOrList(s.Class, func(c contract.Class) string { return quoted(string(c)) }), "socket", socket)
}

// RuleText writes a rule in one line, as an entry of rules.
func RuleText(r policy2.Rule) string {
	return flow("name", quoted(r.Name), "match", oneOrList(r.Match, SelectorText), "each", string(r.Each),
		"when", conditionsText(r.When), "do", ladderText(r.Do),
		"keep", keepText(r.Keep), "rest_when", conditionsText(r.RestWhen), "rest", ladderText(r.Rest),
		"calm", set(r.Calm), "volumes", r.Volumes, "rm", r.Rm)
}

// set is the text of a value that is written, "" of none.
func set[T interface {
	comparable
	fmt.Stringer
}](v T) string {
	var zero T
	if v == zero {
		return ""
	}
	return v.String()
}

func conditionsText(c policy2.Conditions) string {
	if c == (policy2.Conditions{}) {
		return ""
	}

	var processes, expired string
	if c.Processes != 0 {
		processes = fmt.Sprint(c.Processes)
	}
	if c.Expired != "" {
		expired = quoted(c.Expired)
	}
	return flow("age", set(c.Age), "idle", set(c.Idle), "cpu", set(c.CPU), "ram", set(c.RAM), "processes", processes,
		"restarts", set(c.Restarts), "ended", set(c.Ended), "expired", expired, "for", set(c.For))
}

func ladderText(l policy2.Ladder) string {
	if len(l) == 0 {
		return ""
	}

	steps := make([]string, len(l))
	for i, r := range l {
		steps[i] = r.String()
		if i > 0 {
			steps[i] = flow("after", r.After.String(), "do", r.String())
		}
	}
	return oneOrList(steps, func(s string) string { return s })
}

func keepText(k policy2.Keep) string {
	if k.IsZero() {
		return ""
	}

	per := k.Per.String()
	if per != "" {
		per = quoted(per)
	}
	return flow(string(k.Order), fmt.Sprint(k.Places), "per", per)
}

// budgetText writes all rates, also those that have the default of their span, unless that would be more than a document may
// write: a written rate counts as meant, and then none of a longer span may be below it.
func budgetText(rates []policy2.Rate) string {
	if policy2.ValidateBudget(rates) == nil {
		return list(rates, policy2.Rate.String)
	}

	var written, byDefault []string
	for _, r := range rates {
		if slices.Contains(policy2.Budget(nil), r) {
			byDefault = append(byDefault, r.String())
		} else {
			written = append(written, r.String())
		}
	}
	return fmt.Sprintf("[%s] # by default %s", strings.Join(written, ", "), strings.Join(byDefault, ", "))
}

func gatesText(g contract.Gates) string {
	return flow("max_bad_rows_percent", fmt.Sprint(g.MaxBadRowsPercent), "min_interval_percent", fmt.Sprint(g.MinIntervalPercent),
		"max_interval_percent", fmt.Sprint(g.MaxIntervalPercent), "settle", policy2.Duration(time.Duration(g.Settle)/time.Second).String(),
		"degraded_after", fmt.Sprint(g.DegradedAfter), "alarm_after", fmt.Sprint(g.AlarmAfter))
}

func actText(a policy2.Act) string {
	return flow("calls", list(a.Calls, func(r contract.Rung) string { return string(r) }), "grace", a.Grace.String(),
		"throttle_millicores", fmt.Sprint(a.ThrottleMillicores), "parallel", fmt.Sprint(a.Parallel), "deadline", a.Deadline.String(),
		"stuck_after", fmt.Sprint(a.StuckAfter), "breaker_after", fmt.Sprint(a.BreakerAfter), "futile_after", fmt.Sprint(a.FutileAfter))
}

// quoted is a text as a value of a flow mapping: bare where no reader of YAML takes it for anything else.
func quoted(text string) string {
	bare := regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./=*?-]*( [A-Za-z0-9_./=*?-]+)*$`)
	reserved := []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"}
	if bare.MatchString(text) && !slices.Contains(reserved, strings.ToLower(text)) {
		return text
	}

	// A line break would end a comment, or the value.
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\\' || r == '"':
			b.WriteString(`\` + string(r))
		case !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\U%08X`, r)
		default:
			b.WriteRune(r)
		}
	}
	return `"` + b.String() + `"`
}
