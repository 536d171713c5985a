// Bodies measures how function bodies are written: of the bodies of ten lines or more, the share of lines that are
// blank or a comment, by module. It is an indicator, not a rule: in moby, net/http and VictoriaLogs it lies between 14
// and 18 per cent.
//
//	cd tools && go run ./bodies [-densest N] [ROOT]
package main

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// long is how many lines a body must have to count: a shorter one is a paragraph by itself.
const long = 10

// body is one function's body, in lines.
type body struct {
	module, name string
	position     string
	lines        int
	blank        int // blank or comment
	longestRun   int // of lines that are neither
}

func main() {
	densest := flag.Int("densest", 0, "also list the `N` bodies with the longest run of lines without a break")
	flag.Parse()
	root := cmp.Or(flag.Arg(0), "..")

	bodies, err := collect(root)
	if err != nil {
		fail(err)
	}
	write(bodies, *densest)
}

// collect reads every Go file under root but for tests.
func collect(root string) ([]body, error) {
	var bodies []body
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != root && entry.Name() != "..":
			return filepath.SkipDir
		case entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		found, err := ofFile(path, filepath.ToSlash(relative))
		bodies = append(bodies, found...)
		return err
	})
	return bodies, err
}

func ofFile(path, relative string) ([]body, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, source, 0)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(source), "\n")

	var bodies []body
	for _, declaration := range file.Decls {
		function, ok := declaration.(*ast.FuncDecl)
		if !ok || function.Body == nil {
			continue
		}
		first, last := set.Position(function.Body.Lbrace).Line, set.Position(function.Body.Rbrace).Line
		if last-first-1 < long {
			continue
		}
		b := measure(lines[first : last-1])
		b.module, b.name = moduleOf(relative), function.Name.Name
		b.position = fmt.Sprintf("%s:%d", relative, first)
		bodies = append(bodies, b)
	}
	return bodies, nil
}

// moduleOf is the folder that holds the module: services/NAME, or the first part of the path.
func moduleOf(relative string) string {
	parts := strings.Split(relative, "/")
	if parts[0] == "services" && len(parts) > 1 {
		return parts[1]
	}
	return parts[0]
}

func measure(lines []string) body {
	b := body{lines: len(lines)}
	run := 0
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "//") {
			b.blank++
			run = 0
			continue
		}
		run++
		b.longestRun = max(b.longestRun, run)
	}
	return b
}

func write(bodies []body, densest int) {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer table.Flush()

	fmt.Fprintln(table, "module\tbodies\tlines\tblank or comment\tshare\t")
	sums := make(map[string]body)
	counts := make(map[string]int)
	for _, b := range bodies {
		sum := sums[b.module]
		sum.lines += b.lines
		sum.blank += b.blank
		sums[b.module] = sum
		counts[b.module]++
	}
	var names []string
	for name := range sums {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		sum := sums[name]
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%.1f %%\t\n", name, counts[name], sum.lines, sum.blank,
			100*float64(sum.blank)/float64(sum.lines))
	}

	slices.SortFunc(bodies, func(a, b body) int { return cmp.Compare(b.longestRun, a.longestRun) })
	for _, b := range bodies[:min(densest, len(bodies))] {
		fmt.Fprintf(table, "%s\t%s\t%d lines\t%d without a break\t\t\n", b.position, b.name, b.lines, b.longestRun)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "bodies:", err)
	os.Exit(2)
}
