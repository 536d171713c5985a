package policyfile

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// decoder2 walks the syntax tree of a document of version 2. Unlike those of version 1 its values have several forms, so that
// each key says how it is read.
type decoder2 struct {
	decoder
	p     policy2.Policy
	keeps bool // the rule that is being read has the key keep
}

// keys are those of one mapping, each with what reads its value.
type keys map[string]func(path string, node ast.Node)

// parse2 decodes a document of version 2, or of none that is known, whose text had these problems.
func parse2(body ast.Node, problems contract.Problems) (policy2.Policy, error) {
	if body == nil && len(problems) > 0 {
		return policy2.Policy{}, problems
	}

	d := decoder2{decoder: newDecoder(nil), p: policy2.Default()}
	d.policy(body)
	if !slices.Contains(d.unreadable, "") {
		for _, problem := range d.p.ValidateRead(d.unreadable) {
			problem.Line = d.lineOf(problem.Where)
			d.problems = append(d.problems, problem)
		}
	}

	d.problems = append(d.problems, problems...)
	return d.p, d.sorted().Err()
}

func (d *decoder2) policy(body ast.Node) {
	if _, ok := body.(ast.MapNode); !ok && body != nil {
		d.addNodeProblem("", body, "is not a policy", "a policy is a list of key: value lines")
		return
	}
	if body != nil {
		d.mapping("", body, "version: 2", d.topLevel())
	}

	// Any other key may be missing; without this one an empty or cut-off file would be the default policy.
	if _, ok := d.lines["version"]; !ok {
		d.addProblem("version", 0, "is missing", fmt.Sprintf("write version: %d as the first line", policy2.Version))
	}
}

func (d *decoder2) topLevel() keys {
	return keys{
		"version": d.version,
		"mode":    d.word(&d.p.Mode),
		"tick":    d.duration("tick", &d.p.Tick),

		"own":     func(path string, node ast.Node) { d.selectors(path, node, &d.p.Own) },
		"protect": d.protect,
		"rules":   d.rules,

		"budget":   d.budget,
		"surprise": d.surprise,
		"idle":     d.idle,

		"rank":    d.words(&d.p.Rank),
		"buckets": d.buckets,
		"warmup":  d.integer(&d.p.Warmup),
		"gates":   d.gates,
		"young":   d.young,
		"images":  d.images,
		"act":     d.act,
	}
}

// plain refuses what no value of a policy is.
func (d *decoder2) plain(path string, node ast.Node) bool {
	switch node.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		d.addNodeProblem(path, node, "anchors, aliases and tags are not part of a policy", "write the value itself")
		return false

	case *ast.NullNode, nil:
		d.noValue(path, node)
		return false

	default:
		return true
	}
}

func (d *decoder2) noValue(path string, node ast.Node) {
	hint := "write one, or remove the key"
	switch {
	case path == "version":
		hint = fmt.Sprintf("write version: %d", policy2.Version)
	case path == "own":
		hint = "remove the key for Gestor's own containers; [] owns nothing"
	case !strings.ContainsAny(path, ".["):
		hint = "remove the key to take the default; [] and {} mean none"
	case strings.HasSuffix(path, "]"):
		hint = "write one, or remove the dash"
	}

	line := d.lineOf(path)
	if node != nil {
		line = lineOfToken(node.GetToken())
	}
	d.addProblem(path, line, "has no value", hint)
}

// mapping reads a mapping with a fixed set of keys; such is what could stand there instead of another kind of value.
func (d *decoder2) mapping(path string, node ast.Node, such string, ks keys) bool {
	if !d.plain(path, node) {
		return false
	}
	if _, ok := node.(ast.MapNode); !ok {
		d.addNodeProblem(path, node, fmt.Sprintf("%s is not a block of key: value lines", excerpt(node)), "such as "+such)
		return false
	}

	d.eachPair(path, node, func(key, at string, pair *ast.MappingValueNode) {
		read, ok := ks[key]
		if !ok {
			d.unknownKey(path, key, at, pair, ks)
			return
		}

		read(at, pair.Value)
	})
	return true
}

// list reads a sequence and visits its entries. With single the entry of a list of one has the path of the list, and a value
// that is no list is such an entry.
func (d *decoder2) list(path string, node ast.Node, single bool, visit func(i int, at string, entry ast.Node)) bool {
	sequence, ok := node.(*ast.SequenceNode)
	if !ok && single {
		visit(0, path, node)
		return true
	}

	if !d.plain(path, node) {
		return false
	}
	if !ok {
		d.addNodeProblem(path, node, "is not a list", "[one, two] or one line per entry, each beginning with a dash")
		return false
	}

	n := len(sequence.Values)
	for i, entry := range sequence.Values {
		at := path
		if n > 1 || !single {
			at = fmt.Sprintf("%s[%d]", path, i)
		}

		d.lines[at] = d.lineOfEntry(path, entry)
		visit(i, at, entry)
	}
	return true
}

// lineOfEntry is the line of a list's entry; one that is not there has that of its list.
func (d *decoder2) lineOfEntry(path string, entry ast.Node) int {
	if entry == nil {
		return d.lineOf(path)
	}
	return lineOfToken(entry.GetToken())
}

// scalar is the text of a value that is neither a list nor a mapping, as it stands in the file.
func scalar(node ast.Node) (string, bool) {
	switch v := node.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return v.GetToken().Value, true
	default:
		return "", false
	}
}

// value reads a text form. Of what is no scalar the beginning is read: that is none either, and the error shows it.
func value[T any](d *decoder2, path string, node ast.Node, parse func(string) (T, error)) (v T, ok bool) {
	if !d.plain(path, node) {
		return v, false
	}
	text, isScalar := scalar(node)
	if !isScalar {
		text = excerpt(node)
	}

	// A parser's error says what is wrong and what to write instead, and knows neither path nor line.
	v, err := parse(text)
	var problems contract.Problems
	switch {
	case errors.As(err, &problems):
		d.addNodeProblem(path, node, problems[0].What, problems[0].Hint)
		return v, false

	case err != nil || !isScalar:
		d.addNodeProblem(path, node, fmt.Sprintf("%q cannot stand here", text), "a single value")
		return v, false

	default:
		return v, true
	}
}

// text reads a value that has a text form.
func text[T any](d *decoder2, dst *T, parse func(string) (T, error)) func(string, ast.Node) {
	return func(path string, node ast.Node) {
		if v, ok := value(d, path, node, parse); ok {
			*dst = v
		}
	}
}

// outOfRange is the problem of a value that is 0, which in a policy means that none was written, or was rounded to it.
func (d *decoder2) outOfRange(path string, node ast.Node, key string) {
	text, _ := scalar(node)
	d.addNodeProblem(path, node, text+" is out of range", policy2.Bounds(key))
}

// duration reads the duration of a key, which may be 0.
func (d *decoder2) duration(key string, dst *policy2.Duration) func(string, ast.Node) {
	return text(d, dst, func(text string) (policy2.Duration, error) {
		v, err := policy2.ParseDuration(text)
		return v, withBounds(err, policy2.Bounds(key))
	})
}

// withBounds says to which values a key is bound, in a problem of one that is below what can be written at all.
func withBounds(err error, bounds string) error {
	var problems contract.Problems
	if errors.As(err, &problems) && strings.HasSuffix(problems[0].What, " is out of range") {
		problems[0].Hint = bounds
	}
	return err
}

// optional reads the value of a key that a policy may leave out, and has no value 0.
func optional[T comparable](d *decoder2, key string, dst *T, parse func(string) (T, error)) func(string, ast.Node) {
	return func(path string, node ast.Node) {
		v, ok := value(d, path, node, func(text string) (T, error) {
			v, err := parse(text)
			return v, withBounds(err, policy2.Bounds(key))
		})

		var zero T
		if ok && v == zero {
			d.outOfRange(path, node, key)
		} else if ok {
			*dst = v
		}
	}
}

func (d *decoder2) integer(dst any) func(string, ast.Node) {
	return func(path string, node ast.Node) {
		if d.plain(path, node) {
			d.decodeInteger(path, node, reflect.ValueOf(dst).Elem())
		}
	}
}

// word reads a text into a kind of string.
func (d *decoder2) word(dst any) func(string, ast.Node) {
	return func(path string, node ast.Node) {
		if d.plain(path, node) {
			d.decodeString(path, node, reflect.ValueOf(dst).Elem())
		}
	}
}

// words reads a list of texts; what is written replaces the default as a whole.
func (d *decoder2) words(dst any) func(string, ast.Node) {
	return func(path string, node ast.Node) {
		out := reflect.MakeSlice(reflect.TypeOf(dst).Elem(), 0, 0)
		ok := d.list(path, node, false, func(_ int, at string, entry ast.Node) {
			word := reflect.New(out.Type().Elem())
			d.word(word.Interface())(at, entry)
			out = reflect.Append(out, word.Elem())
		})

		if ok {
			reflect.ValueOf(dst).Elem().Set(out)
		}
	}
}

func (d *decoder2) version(path string, node ast.Node) {
	if n, ok := node.(*ast.IntegerNode); ok {
		d.decodeInteger(path, n, reflect.ValueOf(&d.p.Version).Elem())
	} else if d.plain(path, node) {
		d.addNodeProblem(path, node, fmt.Sprintf("%s is not a whole number", excerpt(node)), fmt.Sprintf("write version: %d", policy2.Version))
	}
}

func (d *decoder2) surprise(path string, node ast.Node) {
	if v, ok := value(d, path, node, parseWholePercent); ok {
		d.p.Surprise = v
	}
}

func parseWholePercent(text string) (int, error) {
	const notWhole, such = " is not a whole percent", "such as 30%"
	number, signed := strings.CutSuffix(text, "%")
	v, err := policy2.ParsePercent(number + "%")

	switch {
	case err != nil:
		return 0, contract.Problems{{What: strconv.Quote(text) + notWhole, Hint: such}}
	case v%100 != 0:
		return 0, contract.Problems{{What: text + notWhole, Hint: such}}
	case !signed:
		return 0, contract.Problems{{What: text + " is not a percent", Hint: v.String()}}
	default:
		return int(v / 100), nil
	}
}

func (d *decoder2) idle(path string, node ast.Node) {
	idle := &d.p.Idle
	d.mapping(path, node, "{cpu: 0.1%, net: 100}", keys{
		"cpu": text(d, &idle.CPU, parseIdleCPU),
		"net": text(d, &idle.Net, policy2.ParseSize),
	})
}

// parseIdleCPU takes a number without its sign for the share that it would be with it: whoever meant a share of one core would
// call far more than nothing idle.
func parseIdleCPU(text string) (policy2.Percent, error) {
	v, err := policy2.ParsePercent(text)
	if signed, e := policy2.ParsePercent(text + "%"); err != nil && e == nil {
		return 0, contract.Problems{{What: fmt.Sprintf("%q is not a percent", text), Hint: signed.String()}}
	}
	return v, err
}

// budget reads the rates that are written: each replaces the default of its own span. All that can be wrong with them is said
// here, where it is known which are written and how.
func (d *decoder2) budget(path string, node ast.Node) {
	// A single rate is no list, but what is wrong with it comes first.
	if _, ok := scalar(node); ok {
		if rate, ok := value(d, path, node, policy2.ParseRate); ok {
			d.addNodeProblem(path, node, "is not a list", fmt.Sprintf("budget: [%v]", rate))
		}
		return
	}
	if _, ok := node.(*ast.SequenceNode); !ok {
		d.list(path, node, false, nil)
		return
	}

	written, paths := d.rates(path, node)
	problems := policy2.ValidateBudget(written)
	for _, problem := range problems {
		at := pathOfRate(problem.Where, paths)
		d.addProblem(at, d.lineOf(at), problem.What, problem.Hint)
	}

	// What is wrong has been said, and is not to be said again of the whole policy.
	if len(problems) == 0 {
		d.p.Budget = policy2.Budget(written)
	}
}

// rates reads a list of rates, one for a span, with the path of each.
func (d *decoder2) rates(path string, node ast.Node) (rates []policy2.Rate, paths []string) {
	spans := map[policy2.Duration]bool{}
	d.list(path, node, true, func(_ int, at string, entry ast.Node) {
		rate, ok := value(d, at, entry, policy2.ParseRate)
		if !ok {
			return
		}
		if spans[rate.Span] {
			text, _ := scalar(entry)
			d.addNodeProblem(at, entry, "stands twice: "+spanOf(rate, text), "")
			return
		}

		spans[rate.Span] = true
		rates, paths = append(rates, rate), append(paths, at)
	})
	return rates, paths
}

// spanOf says how the span of a rate is written, and what it is when that is something else.
func spanOf(r policy2.Rate, text string) string {
	_, written, _ := strings.Cut(text, " per ")
	_, span, _ := strings.Cut(r.String(), " per ")
	if written == span {
		return span
	}
	return written + " is " + span
}

// pathOfRate is the path in the file of a problem with one of the rates that could be read.
func pathOfRate(where string, paths []string) string {
	var i int
	if _, err := fmt.Sscanf(where, "budget[%d]", &i); err != nil && len(paths) != 1 {
		return where
	}
	return paths[i]
}

func (d *decoder2) buckets(path string, node ast.Node) {
	b := &d.p.Buckets
	d.mapping(path, node, "{cpu_millicores: 10}", keys{"cpu_millicores": d.integer(&b.CPUMillicores), "ram_kb": d.integer(&b.RAMKB)})
}

func (d *decoder2) young(path string, node ast.Node) {
	y := &d.p.Young
	d.mapping(path, node, "{max: 30}", keys{"max": d.integer(&y.Max), "memory_floor_kb": d.integer(&y.MemoryFloorKB)})
}

func (d *decoder2) gates(path string, node ast.Node) {
	g := &d.p.Gates
	settle := policy2.Duration(time.Duration(g.Settle) / time.Second)
	d.mapping(path, node, "{settle: 2s}", keys{
		"max_bad_rows_percent": d.integer(&g.MaxBadRowsPercent),
		"min_interval_percent": d.integer(&g.MinIntervalPercent),
		"max_interval_percent": d.integer(&g.MaxIntervalPercent),
		"settle":               d.duration("settle", &settle),

		"degraded_after": d.integer(&g.DegradedAfter),
		"alarm_after":    d.integer(&g.AlarmAfter),
	})

	// A policy of version 1 has this part, too, whose durations are of another type.
	g.Settle = secondsOf(settle)
}

func (d *decoder2) images(path string, node ast.Node) {
	if !d.plain(path, node) {
		return
	}

	d.p.Images = map[string]contract.Class{} // what is written replaces the default as a whole
	d.eachPair(path, node, func(key, at string, pair *ast.MappingValueNode) {
		var class contract.Class
		d.word(&class)(at, pair.Value)
		d.p.Images[key] = class
	})
}

func (d *decoder2) act(path string, node ast.Node) {
	a := &d.p.Act
	d.mapping(path, node, "{calls: [stop, remove]}", keys{
		"calls":               d.words(&a.Calls),
		"grace":               d.duration("grace", &a.Grace),
		"throttle_millicores": d.integer(&a.ThrottleMillicores),

		"parallel": d.integer(&a.Parallel),
		"deadline": d.duration("deadline", &a.Deadline),

		"stuck_after":   d.integer(&a.StuckAfter),
		"breaker_after": d.integer(&a.BreakerAfter),
		"futile_after":  d.integer(&a.FutileAfter),
	})
}
