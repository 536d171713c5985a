package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// word is one row of words.tsv: a name, the field's term for it, and the file or folder in which it stood.
type word struct{ where, old, term string }

// left is a word that is still declared, and where.
type left struct {
	word
	positions []string
	reason    string // why it stays, "" for one that is to be changed
}

// exception is one row of exceptions.tsv: a word that stays, and why.
type exception struct{ where, old, reason string }

// moved are the packages that have another name today, so that a row finds its code after the move.
var moved = map[string][]string{
	"eyes":     {"source"},
	"procfile": {"kmod"},
	"census":   {"containers"},
	"seed":     {"assignment"},
	"web":      {"httpapi", "page", "respond"},
	"chart":    {"png", "echarts"},
}

// parseWords reads words.tsv: lines of WHERE, OLD and NEW with tabs between.
func parseWords(content string) ([]word, error) {
	var words []word
	for line := range strings.Lines(content) {
		parts := strings.Split(strings.TrimSpace(line), "\t")
		if len(parts) != 3 || slices.Contains(parts, "") {
			return nil, fmt.Errorf("words.tsv: want WHERE, OLD and NEW in %q", line)
		}
		words = append(words, word{where: parts[0], old: parts[1], term: parts[2]})
	}
	return words, nil
}

// parseExceptions reads exceptions.tsv: lines of WHERE, OLD and REASON with tabs between. The first two are those of a row
// of words.tsv, and none is there twice.
func parseExceptions(content string, words []word) ([]exception, error) {
	var exceptions []exception
	for line := range strings.Lines(content) {
		parts := strings.Split(strings.TrimSpace(line), "\t")
		if len(parts) != 3 || slices.Contains(parts, "") {
			return nil, fmt.Errorf("exceptions.tsv: want WHERE, OLD and REASON in %q", line)
		}

		e := exception{where: parts[0], old: parts[1], reason: parts[2]}
		if !slices.ContainsFunc(words, e.excepts) {
			return nil, fmt.Errorf("exceptions.tsv: words.tsv has no row %s, %s", e.where, e.old)
		}
		if slices.ContainsFunc(exceptions, func(other exception) bool { return other.where == e.where && other.old == e.old }) {
			return nil, fmt.Errorf("exceptions.tsv: %s, %s is there twice", e.where, e.old)
		}
		exceptions = append(exceptions, e)
	}
	return exceptions, nil
}

func (e exception) excepts(w word) bool { return e.where == w.where && e.old == w.old }

// find returns the words that are left in the repository at root, those that stay with the reason of their exception.
func find(root string, words []word, exceptions []exception) ([]left, error) {
	tree, err := read(root)
	if err != nil {
		return nil, err
	}

	var found []left
	for _, word := range words {
		positions := tree.positions(word)
		if len(positions) == 0 {
			continue
		}

		l := left{word: word, positions: positions}
		for _, e := range exceptions {
			if e.excepts(word) {
				l.reason = e.reason
			}
		}
		found = append(found, l)
	}
	return found, nil
}

// tree is what the repository declares.
type tree struct {
	files    []string                       // relative to the root
	declared map[string]map[string][]string // folder → identifier → positions
	c        map[string]string              // C file → content
}

func read(root string) (*tree, error) {
	t := &tree{declared: make(map[string]map[string][]string), c: make(map[string]string)}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		relative = filepath.ToSlash(relative)

		// Hidden folders, data and what is built hold no names of ours, and this tool's own table would find itself.
		if entry.IsDir() {
			if relative != "." && (strings.HasPrefix(entry.Name(), ".") || relative == "tools" || relative == "bin" || relative == "data") {
				return filepath.SkipDir
			}
			return nil
		}

		t.files = append(t.files, relative)

		switch filepath.Ext(path) {
		case ".go":
			return t.goFile(path, relative)

		case ".c", ".h":
			content, err := os.ReadFile(path)
			t.c[relative] = string(content)
			return err
		}
		return nil
	})
	return t, err
}

// goFile notes every name that the file declares: also fields, parameters and local variables.
func (t *tree) goFile(path, relative string) error {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, 0)
	if err != nil {
		return err
	}

	folder := folderOf(relative)
	names := t.declared[folder] // what other files of the package declare
	if names == nil {
		names = make(map[string][]string)
		t.declared[folder] = names
	}

	// A word in a call or an expression is somebody else's declaration, so only what declares a name counts.
	note := func(expressions ...ast.Expr) {
		for _, expression := range expressions {
			if name, ok := expression.(*ast.Ident); ok {
				at := fmt.Sprintf("%s:%d", relative, set.Position(name.Pos()).Line)
				names[name.Name] = append(names[name.Name], at)
			}
		}
	}

	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			note(n.Name)
		case *ast.TypeSpec:
			note(n.Name)

		case *ast.ValueSpec:
			for _, name := range n.Names {
				note(name)
			}

		case *ast.Field:
			for _, name := range n.Names {
				note(name)
			}

		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				note(n.Lhs...)
			}
		case *ast.RangeStmt:
			if n.Tok == token.DEFINE {
				note(n.Key, n.Value)
			}
		}
		return true
	})
	return nil
}

// folderOf is the folder of a file, "." for one at the root.
func folderOf(relative string) string { return filepath.ToSlash(filepath.Dir(relative)) }

func (t *tree) positions(word word) []string {
	inFolder := word.where
	if strings.Contains(filepath.Base(word.where), ".") {
		inFolder = folderOf(word.where)
	}

	switch {
	case strings.HasSuffix(word.old, ".go"):
		return t.filesNamed(word.where)

	case strings.HasPrefix(word.where, "kernel-module/") && !strings.Contains(word.where, "tests"):
		return t.inC(word.old)

	case filepath.Base(word.where) == word.old && inFolder == word.where:
		if folder := t.folder(word.where); folder != nil {
			return folder // a package
		}
		return nil
	}

	// Packages have moved inside their module since the table was written: a folder of the same name, or of the name that
	// it has today, is where to look.
	module := strings.Join(strings.Split(inFolder, "/")[:min(2, strings.Count(inFolder, "/")+1)], "/")
	names := append([]string{filepath.Base(inFolder)}, moved[filepath.Base(inFolder)]...)

	var found []string
	for folder, declared := range t.declared {
		if strings.HasPrefix(folder+"/", module+"/") && slices.Contains(names, filepath.Base(folder)) {
			found = append(found, declared[word.old]...)
		}
	}
	slices.Sort(found)
	return found
}

func (t *tree) filesNamed(where string) []string {
	if slices.Contains(t.files, where) {
		return []string{where}
	}
	return nil
}

func (t *tree) folder(where string) []string {
	for _, file := range t.files {
		if folderOf(file) == where {
			return []string{where}
		}
	}
	return nil
}

func (t *tree) inC(name string) []string {
	word := regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`)
	var found []string
	for file, content := range t.c {
		for i, line := range strings.Split(content, "\n") {
			// Comments say such words too: line comments, and the lines of the longer ones, which begin with a star.
			code, _, _ := strings.Cut(line, "//")
			trimmed := strings.TrimSpace(code)
			if !strings.HasPrefix(trimmed, "*") && !strings.HasPrefix(trimmed, "/*") && word.MatchString(code) {
				found = append(found, fmt.Sprintf("%s:%d", file, i+1))
			}
		}
	}
	slices.Sort(found)
	return found
}
