// Package policyfile reads and writes policy.yaml. Reading is strict: an unknown or doubled key, a value of the wrong
// kind and a value out of range are errors, and every one of them is reported at once as [contract.Problems], with its
// line and, where there is one, what to write instead. A missing key takes its default; only version must be written,
// so that an empty or cut-off file never passes for a policy.
package policyfile

import (
	"fmt"
	"io"
	"os"
	"slices"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"gestor.local/contract"
)

// maxBytes is far above any policy and far below what would hurt to hold in memory.
const maxBytes = 1 << 20

// Load reads and parses the file at path.
func Load(path string) (contract.Policy, error) {
	f, err := os.Open(path)
	if err != nil {
		return contract.Policy{}, fmt.Errorf("read policy: %w", err)
	}
	defer f.Close()

	// One byte more than allowed: a larger file is refused, and not cut.
	text, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return contract.Policy{}, fmt.Errorf("read policy %s: %w", path, err)
	}

	p, err := Parse(text)
	if err != nil {
		return contract.Policy{}, fmt.Errorf("policy %s:\n%w", path, err)
	}
	return p, nil
}

// Parse reads a policy document. The error, if any, is contract.Problems in the order of the lines.
func Parse(text []byte) (contract.Policy, error) {
	p := contract.DefaultPolicy()
	d := decoder{lines: map[string]int{}}
	d.decodeDocument(text, &p)

	for _, problem := range p.Validate() {
		if d.isReported(problem.Where) {
			continue // already reported, and what stands in the policy is the default
		}
		problem.Line = d.lineOf(problem.Where)
		d.problems = append(d.problems, problem)
	}

	if len(d.problems) > 0 {
		slices.SortStableFunc(d.problems, func(a, b contract.Problem) int { return a.Line - b.Line })
		return contract.Policy{}, d.problems
	}
	return p, nil
}

// decodeDocument parses the YAML and decodes it into the policy.
func (d *decoder) decodeDocument(text []byte, p *contract.Policy) {
	switch {
	case len(text) > maxBytes:
		d.addProblem("", 0, fmt.Sprintf("is larger than %d bytes", maxBytes), "is this a policy?")
		return
	case !utf8.Valid(text):
		d.addProblem("", 0, "is not UTF-8 text", "")
		return
	}

	file, err := parse(text)
	if err != nil {
		d.addSyntaxProblem(err)
		return
	}

	if len(file.Docs) > 1 {
		d.addProblem("", lineOfToken(file.Docs[1].Start), "holds more than one document", "remove what follows ---")
	}
	if len(file.Docs) > 0 && file.Docs[0].Body != nil {
		d.decodePolicy(file.Docs[0].Body, p)
	}

	// Any other key may be missing; without this one an empty or cut-off file would be the default policy.
	if _, ok := d.lines["version"]; !ok && len(d.problems) == 0 {
		d.addProblem("version", 0, "is missing", fmt.Sprintf("write version: %d as the first line", contract.PolicyVersion))
	}
}

// parse builds the syntax tree. A text that makes the parser itself panic is a bad text: a manager that reloads its
// policy must outlive it.
func parse(text []byte) (file *ast.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			file, err = nil, fmt.Errorf("the parser gave up: %v", p)
		}
	}()
	return parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
}

// addSyntaxProblem turns the parser's error, which comes with an excerpt of the source, into one problem.
func (d *decoder) addSyntaxProblem(err error) {
	type located interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if e, ok := err.(located); ok {
		d.addProblem("", lineOfToken(e.GetToken()), "is not YAML: "+e.GetMessage(), "check indentation, colons and quotes")
		return
	}
	d.addProblem("", 0, "is not YAML: "+err.Error(), "check indentation, colons and quotes")
}

func lineOfToken(t *token.Token) int {
	if t == nil || t.Position == nil {
		return 0
	}
	return t.Position.Line
}

// Format writes the whole policy, defaults included, in a form that Parse reads back to the same policy.
func Format(p contract.Policy) ([]byte, error) {
	text, err := yaml.MarshalWithOptions(p, yaml.IndentSequence(true))
	if err != nil {
		return nil, fmt.Errorf("format policy: %w", err)
	}
	return text, nil
}
