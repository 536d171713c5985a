package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// walk is one ordered list of steps.
type walk struct {
	number string // as its heading says
	steps  []step
}

// step is one declaration that the walk comes to, again each time that it comes back to it.
type step struct {
	file string // shortened, as the page writes it
	name string // of a function, a method, a constant or a type; Type.method where a file has several of one name
}

var (
	headingPattern = regexp.MustCompile(`^## Walk (\d+)`)
	// A stage is written like: govern/loop.go `Run tick` → govern/observer.go `readHost`
	stagePattern = regexp.MustCompile("([a-z0-9_]+(?:/[a-z0-9_]+)*\\.go)\\s+`([^`]+)`")
)

// parse takes the walks out of the page: each begins with a heading "## Walk N" and ends with the next heading of that
// level.
func parse(text string) ([]walk, error) {
	var walks []walk
	inWalk := false
	sections := map[string]*strings.Builder{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "## ") {
			heading := headingPattern.FindStringSubmatch(line)
			if inWalk = heading != nil; inWalk {
				walks = append(walks, walk{number: heading[1]})
				sections[heading[1]] = &strings.Builder{}
			}
			continue
		}
		if inWalk {
			sections[walks[len(walks)-1].number].WriteString(line)
		}
	}
	if len(walks) == 0 {
		return nil, errors.New(page + ` has no heading "## Walk 1"`)
	}

	for i := range walks {
		w := &walks[i]
		for _, found := range stagePattern.FindAllStringSubmatch(sections[w.number].String(), -1) {
			for _, name := range strings.Fields(found[2]) {
				w.steps = append(w.steps, step{file: found[1], name: name})
			}
		}
		if len(w.steps) == 0 {
			return nil, fmt.Errorf("%s: walk %s has no steps", page, w.number)
		}
	}
	return walks, nil
}

// counts says how far a walk is. A change is a step into another file than that of the step before; back are those
// changes that lead into a file that was left before.
type counts struct{ steps, files, changes, back int }

func count(w walk) counts {
	c := counts{steps: len(w.steps)}
	seen := map[string]bool{}
	for i, s := range w.steps {
		if i > 0 && s.file == w.steps[i-1].file {
			continue
		}

		if i > 0 {
			c.changes++
		}
		if seen[s.file] {
			c.back++
		}
		seen[s.file] = true
	}
	c.files = len(seen)
	return c
}

// row is the line of the page's table for this walk.
func (c counts) row(w walk) string {
	return fmt.Sprintf("| %s | %d | %d | %d | %d |", w.number, c.steps, c.files, c.changes, c.back)
}

// bases are the folders that the page leaves out in front of a file's name.
func bases() []string {
	return []string{"services/manager/internal", "services/logs/internal", "services"}
}

// check returns what the walk names and the code has not.
func check(root string, w walk) (problems []string) {
	declared := map[string]map[string]bool{}
	for _, s := range w.steps {
		names, known := declared[s.file]
		if !known {
			var err error
			if names, err = namesIn(root, s.file); err != nil {
				problems = append(problems, fmt.Sprintf("walk %s: %v", w.number, err))
			}
			declared[s.file] = names
		}

		if names != nil && !names[s.name] {
			problems = append(problems, fmt.Sprintf("walk %s: %s declares no %s", w.number, s.file, s.name))
		}
	}
	return problems
}

// namesIn are the names that a file of the page declares, methods both alone and behind their type.
func namesIn(root, short string) (map[string]bool, error) {
	file := ""
	for _, base := range bases() {
		candidate := filepath.Join(root, filepath.FromSlash(base), filepath.FromSlash(short))
		if _, err := os.Stat(candidate); err != nil {
			continue
		}
		if file != "" {
			return nil, fmt.Errorf("%s may be %s or %s", short, file, candidate)
		}
		file = candidate
	}
	if file == "" {
		return nil, fmt.Errorf("there is no %s below %s", short, strings.Join(bases(), ", "))
	}

	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, d := range parsed.Decls {
		addNames(names, d)
	}
	return names, nil
}

func addNames(names map[string]bool, d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		names[d.Name.Name] = true
		if d.Recv != nil {
			names[receiver(d.Recv.List[0].Type)+"."+d.Name.Name] = true
		}

	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				names[spec.Name.Name] = true
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					names[name.Name] = true
				}
			}
		}
	}
}

// receiver is the name of a method's type, without its pointer and type parameters.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	default:
		return ""
	}
}
