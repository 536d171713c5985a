// Package freeze lists what the product has published, as it stands in the sources: words on the wire and on disk,
// settings, paths, metrics, exit codes. Its test compares the list with testdata/published.txt, so that a change of
// names inside the code cannot change a name that somebody outside relies on.
//
// The list is taken from literals, not from identifiers: renaming a type, a function or a package leaves it as it is.
// What is published on purpose is added by `go test ./freeze -update` in tools/, and told in CHANGELOG.md.
package freeze

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// List is the published words by section.
type List map[string]map[string]bool

// Sections of a List, in the order in which they are written.
const (
	sectionJSON     = "JSON keys with their options"
	sectionSettings = "settings, and defaults of the services"
	sectionLabels   = "container labels"
	sectionPaths    = "HTTP routes and paths of files"
	sectionFiles    = "file names on disk"
	sectionWords    = "words of several parts: metrics, events, gates, conditions, outcomes, reasons"
	sectionSingle   = "single words in constants, comparisons and values"
	sectionExit     = "exit codes"
	sectionModule   = "kernel module: JSON keys and parameters"
)

var sections = []string{
	sectionJSON, sectionSettings, sectionLabels, sectionPaths, sectionFiles,
	sectionWords, sectionSingle, sectionExit, sectionModule,
}

var (
	settingName  = regexp.MustCompile(`\bGESTOR_[A-Z][A-Z0-9_]*[A-Z0-9]\b`)
	labelName    = regexp.MustCompile(`^[a-z0-9]+(\.[a-z0-9_-]+)+$`)
	fileName     = regexp.MustCompile(`^[A-Za-z0-9.%*_-]*\.(ndjson|json|gz|html|png|bad|torn|tmp|idx|yaml)(\.[a-z]+)*$|^(LOCK|MANIFEST)$`)
	wordOfParts  = regexp.MustCompile(`^[a-z][a-z0-9]*([_-][a-z0-9]+)+$`)
	singleWord   = regexp.MustCompile(`^[a-z][a-z0-9]{2,}$`)
	moduleKey    = regexp.MustCompile(`\\"([a-z][a-z0-9_]*)\\":`)
	moduleParam  = regexp.MustCompile(`module_param(?:_cb|_named)?\(\s*([a-z_]+)`)
	scriptStatus = regexp.MustCompile(`\b(?:exit|refuse) ([0-9]+)\b`)
)

// Collect reads the sources of the repository at root.
func Collect(root string) (List, error) {
	list := make(List, len(sections))
	for _, name := range sections {
		list[name] = make(map[string]bool)
	}

	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}

		if entry.IsDir() {
			return skipFolder(relative)
		}
		return list.file(path, filepath.ToSlash(relative))
	})
	return list, err
}

// skipFolder returns [filepath.SkipDir] for what is not the product: hidden folders, what tests own, data.
func skipFolder(relative string) error {
	name := filepath.Base(relative)
	hidden := strings.HasPrefix(name, ".") && relative != "."
	if hidden || slices.Contains([]string{"testdata", "tests", "e2e", "tools", "docs", "data", "bin"}, name) {
		return filepath.SkipDir
	}
	return nil
}

func (l List) file(path, relative string) error {
	extension := filepath.Ext(path)
	switch {
	case strings.HasSuffix(path, "_test.go") || strings.HasSuffix(filepath.Dir(relative), "test"):
		return nil // tests, and packages of test doubles

	case extension == ".go" && strings.HasPrefix(relative, "services/"):
		return l.goFile(path, relative)

	case extension == ".c" || extension == ".h":
		return l.text(path, func(s string) {
			l.all(sectionModule, moduleKey, s)
			l.all(sectionModule, moduleParam, s)
		})

	case extension == ".sh":
		return l.text(path, func(s string) {
			l.settings(s)
			for _, found := range scriptStatus.FindAllStringSubmatch(s, -1) {
				l.add(sectionExit, filepath.Base(relative)+" "+found[1])
			}
		})

	case extension == ".yaml" || filepath.Base(path) == "Makefile" || filepath.Base(path) == "Dockerfile":
		return l.text(path, l.settings)

	default:
		return nil
	}
}

func (l List) text(path string, each func(string)) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	each(string(content))
	return nil
}

func (l List) settings(s string) {
	for _, name := range settingName.FindAllString(s, -1) {
		l.add(sectionSettings, name)
	}
}

func (l List) all(section string, pattern *regexp.Regexp, s string) {
	for _, found := range pattern.FindAllStringSubmatch(s, -1) {
		l.add(section, found[1])
	}
}

func (l List) add(section, word string) { l[section][word] = true }

// goFile takes the literals of one file. Import paths and struct tags are literals too: tags are read apart.
func (l List) goFile(path, relative string) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		return err
	}

	module := strings.Split(relative, "/")[1]
	for _, declaration := range file.Decls {
		if d, ok := declaration.(*ast.GenDecl); ok && d.Tok == token.IMPORT {
			continue
		}
		ast.Inspect(declaration, func(n ast.Node) bool { return l.node(n, module) })
	}
	return nil
}

func (l List) node(n ast.Node, module string) bool {
	switch n := n.(type) {
	case *ast.Field:
		if n.Tag != nil {
			l.tag(n.Tag.Value)
		}
		l.inside(n.Type, module) // not the tag again, which is a literal too
		return false

	case *ast.CallExpr:
		if !makesText(n.Fun) {
			return true
		}
		// Messages are put together from single words: what stands in such a call alone is no word of the wire.
		for _, argument := range n.Args {
			if literal, ok := argument.(*ast.BasicLit); ok {
				l.literal(literal, false)
			} else {
				l.inside(argument, module)
			}
		}
		return false

	case *ast.ValueSpec:
		l.exitCodes(n, module)

	case *ast.CompositeLit:
		l.numberedFiles(n)

	case *ast.BasicLit:
		l.literal(n, true)
	}
	return true
}

func (l List) inside(n ast.Expr, module string) {
	if n != nil {
		ast.Inspect(n, func(n ast.Node) bool { return n == nil || l.node(n, module) })
	}
}

// exitCodes takes the numbers of constants such as exitConfig.
func (l List) exitCodes(spec *ast.ValueSpec, module string) {
	for i, name := range spec.Names {
		if !strings.HasPrefix(name.Name, "exit") || i >= len(spec.Values) {
			continue
		}
		if literal, ok := spec.Values[i].(*ast.BasicLit); ok && literal.Kind == token.INT {
			l.add(sectionExit, "gestor-"+module+" "+literal.Value)
		}
	}
}

// numberedFiles takes the names that wal.Names makes, in the form that fmt would have for them: %s-%020d.ndjson.
func (l List) numberedFiles(names *ast.CompositeLit) {
	if of, ok := names.Type.(*ast.SelectorExpr); !ok || of.Sel.Name != "Names" {
		return
	}

	parts := make(map[string]string) // by field
	for _, element := range names.Elts {
		if field, ok := element.(*ast.KeyValueExpr); ok {
			parts[fmt.Sprint(field.Key)] = format(field.Value)
		}
	}
	if name := parts["Prefix"] + "%020d" + parts["Ext"]; fileName.MatchString(name) {
		l.add(sectionFiles, name)
	}
}

// format is a text that is put together as fmt would have it: what is not written there is a verb.
func format(text ast.Expr) string {
	switch text := text.(type) {
	case *ast.BasicLit:
		value, _ := strconv.Unquote(text.Value) // the compiler has accepted it
		return value
	case *ast.BinaryExpr:
		return format(text.X) + format(text.Y)
	default:
		return "%s"
	}
}

// makesText tells whether a call makes a sentence: its arguments are not words of the wire by themselves.
func makesText(fun ast.Expr) bool {
	selector, ok := fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	name, ok := selector.X.(*ast.Ident)
	return ok && slices.Contains([]string{"fmt", "errors", "strings", "flag"}, name.Name)
}

func (l List) tag(quoted string) {
	tag, err := strconv.Unquote(quoted)
	if err != nil {
		return // the compiler would have refused it
	}

	if key, ok := reflect.StructTag(tag).Lookup("json"); ok {
		l.add(sectionJSON, key)
	}

	// A default is published with its setting: an operator who left it alone relies on it.
	if name, ok := reflect.StructTag(tag).Lookup("env"); ok {
		setting, _, _ := strings.Cut(name, ",")
		if value, given := reflect.StructTag(tag).Lookup("envDefault"); given {
			setting += " = " + value
		}
		l.add(sectionSettings, setting)
	}
}

func (l List) literal(literal *ast.BasicLit, single bool) {
	if literal.Kind != token.STRING {
		return
	}
	value, err := strconv.Unquote(literal.Value)
	if err != nil {
		return
	}

	// A setting or a route may stand inside a message. Everything else is a word of the wire only as a whole, and then
	// belongs to the first section whose form it has.
	l.settings(value)
	l.route(value)
	switch {
	case fileName.MatchString(value):
		l.add(sectionFiles, value)
	case labelName.MatchString(value):
		l.add(sectionLabels, value)
	case wordOfParts.MatchString(value):
		l.add(sectionWords, value)
	case single && singleWord.MatchString(value):
		l.add(sectionSingle, value)
	}
}

func (l List) route(value string) {
	if strings.HasPrefix(value, "/") && len(value) > 1 && !strings.ContainsAny(value, " \n<>\"") {
		l.add(sectionPaths, value)
	}
}

// String writes the sections one after the other, each sorted.
func (l List) String() string {
	var out strings.Builder
	for _, name := range sections {
		words := make([]string, 0, len(l[name]))
		for word := range l[name] {
			words = append(words, word)
		}
		slices.Sort(words)
		fmt.Fprintf(&out, "# %s\n%s\n\n", name, strings.Join(words, "\n"))
	}
	return out.String()
}
