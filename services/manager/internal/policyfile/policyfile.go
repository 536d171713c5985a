// Package policyfile reads and writes policy.yaml. Reading is strict: an unknown or doubled key, a value of the wrong
// kind and a value out of range are errors, and every one of them is reported at once as [contract.Problems], with its
// line and, where there is one, what to write instead. A missing key takes its default; only version must be written,
// so that an empty or cut-off file never passes for a policy.
package policyfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// maxBytes is far above any policy and far below what would hurt to hold in memory.
const maxBytes = 1 << 20

// Document is a policy as a file holds it: of version 1 or of version 2, the other one is nil.
type Document struct {
	V1 *contract.Policy
	V2 *policy2.Policy
}

// Hash names the effective policy: that of its version, "" of an empty document.
func (d Document) Hash() string {
	switch {
	case d.V1 != nil:
		return d.V1.Hash()
	case d.V2 != nil:
		return d.V2.Hash()
	default:
		return ""
	}
}

// Load reads and parses the file at path. The error wraps fs.ErrNotExist where there is none.
func Load(path string) (Document, error) {
	f, err := os.Open(path)
	if err != nil {
		return Document{}, fmt.Errorf("read policy: %w", readable(err))
	}
	defer f.Close()
	return read(path, f)
}

// LoadFrom is Load with - for what input has, the standard input.
func LoadFrom(path string, input io.Reader) (Document, error) {
	if path == "-" && input != nil {
		return read(path, input)
	}
	return Load(path)
}

func read(path string, from io.Reader) (Document, error) {
	// One byte more than allowed: a larger file is refused, and not cut.
	text, err := io.ReadAll(io.LimitReader(from, maxBytes+1))
	if err != nil {
		return Document{}, fmt.Errorf("read policy %s: %w", path, err)
	}

	d, err := Parse(text)
	if err != nil {
		return Document{}, fmt.Errorf("policy %s:\n%w", path, err)
	}
	return d, nil
}

// readable adds to the error of a file that may not be read how it may be.
func readable(err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return fmt.Errorf("%w to user %d:%d; where that folder is on this host (policy of the clone): chmod -R go+rX policy", err, os.Getuid(), os.Getgid())
}

// Parse reads a policy document of either version. The error, if any, is contract.Problems in the order of the lines.
func Parse(text []byte) (Document, error) {
	body, problems := parseBody(text)
	if versionOf(body) == contract.PolicyVersion {
		p, err := parse1(body, problems)
		if err != nil {
			return Document{}, err
		}
		return Document{V1: &p}, nil
	}

	p, err := parse2(body, problems)
	if err != nil {
		return Document{}, err
	}
	return Document{V2: &p}, nil
}

// versionOf is the version that a document says it is of, 0 where it says none that can be read.
func versionOf(body ast.Node) int {
	node, _ := find(body, "version")
	n, ok := node.(*ast.IntegerNode)
	if !ok {
		return 0
	}

	version, err := strconv.Atoi(fmt.Sprint(n.Value)) // int64 or uint64, as the parser found it
	if err != nil {
		return 0
	}
	return version
}

// find is the value of a mapping's key, the first where it stands twice.
func find(node ast.Node, key string) (value ast.Node, ok bool) {
	mapping, ok := node.(ast.MapNode)
	if !ok {
		return nil, false
	}

	for iter := mapping.MapRange(); iter.Next(); {
		if name, ok := iter.Key().(*ast.StringNode); ok && name.Value == key {
			return iter.Value(), true
		}
	}
	return nil, false
}

// parse1 decodes a document of version 1, whose text had these problems.
func parse1(body ast.Node, problems contract.Problems) (contract.Policy, error) {
	p := contract.DefaultPolicy()
	d := newDecoder(problems)
	d.decodePolicy(body, &p)

	for _, problem := range p.Validate() {
		if d.isReported(problem.Where) {
			continue // already reported, and what stands in the policy is the default
		}
		problem.Line = d.lineOf(problem.Where)
		d.problems = append(d.problems, problem)
	}
	return p, d.sorted().Err()
}

// parseBody parses the YAML: its document, nil where there is none, and what is wrong with the text around it.
func parseBody(text []byte) (ast.Node, contract.Problems) {
	switch {
	case len(text) > maxBytes:
		return nil, contract.Problems{{What: fmt.Sprintf("is larger than %d bytes", maxBytes), Hint: "is this a policy?"}}
	case !utf8.Valid(text):
		return nil, contract.Problems{{What: "is not UTF-8 text"}}
	}

	file, err := parse(text)
	if err != nil {
		return nil, contract.Problems{syntaxProblem(text, err)}
	}

	var problems contract.Problems
	if len(file.Docs) > 1 {
		line := lineOfToken(file.Docs[1].Start)
		problems = append(problems, contract.Problem{Line: line, What: "holds more than one document", Hint: "remove what follows ---"})
	}
	if len(file.Docs) == 0 {
		return nil, problems
	}
	return file.Docs[0].Body, problems
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

// syntaxProblem turns the parser's error, which comes with an excerpt of the source, into one problem.
func syntaxProblem(text []byte, err error) contract.Problem {
	const hint = "check indentation, colons and quotes"
	type located interface {
		GetToken() *token.Token
		GetMessage() string
	}
	e, ok := err.(located)
	if !ok {
		return contract.Problem{What: "is not YAML: " + err.Error(), Hint: hint}
	}

	line := lineOfToken(e.GetToken())
	if glob, ok := bareGlob(text, line); ok {
		return contract.Problem{Line: line, What: needsQuotes(glob)}
	}
	return contract.Problem{Line: line, What: "is not YAML: " + e.GetMessage(), Hint: hint}
}

func lineOfToken(t *token.Token) int {
	if t == nil || t.Position == nil {
		return 0
	}
	return t.Position.Line
}

// Format writes the whole policy, defaults included, in a form that Parse reads back to the same policy.
func Format(d Document) ([]byte, error) {
	if d.V2 != nil {
		return format2(*d.V2), nil
	}
	text, err := yaml.MarshalWithOptions(d.V1, yaml.IndentSequence(true))
	if err != nil {
		return nil, fmt.Errorf("format policy: %w", err)
	}
	return text, nil
}
