// Bodies measures how function bodies are written: of the bodies of ten lines or more, the share of lines that are
// blank or a comment, by module or by package. It is an indicator, not a rule: in moby, net/http and VictoriaLogs it lies between 14
// and 18 per cent.
//
//	cd tools && go run ./bodies [-packages] [-densest N] [ROOT]
package main

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// long is how many lines a body must have to count: a shorter one is a paragraph by itself.
const long = 10

// body is one function's body, in lines.
type body struct {
	module     string // as moduleOf says
	folder     string // of the package, from the root
	name       string // of the function
	position   string
	lines      int
	blank      int // blank or comment
	longestRun int // of lines that are neither
}

func main() {
	packages := flag.Bool("packages", false, "a line for each package instead of each module")
	densest := flag.Int("densest", 0, "also list the `N` bodies with the longest run of lines without a break")
	flag.Parse()
	root := cmp.Or(flag.Arg(0), "..")

	bodies, err := collect(root)
	if err != nil {
		fail(err)
	}

	writeShares(os.Stdout, bodies, *packages)
	writeDensest(os.Stdout, bodies, *densest)
}

// collect reads every Go file under root but for tests.
func collect(root string) ([]body, error) {
	var bodies []body
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && file != root && entry.Name() != "..":
			return filepath.SkipDir
		case entry.IsDir() || filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go"):
			return nil
		}

		relative, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		found, err := ofFile(file, filepath.ToSlash(relative))
		bodies = append(bodies, found...)
		return err
	})
	return bodies, err
}

// ofFile measures the long bodies of the functions that a file declares. Closures count as part of the body they stand in.
func ofFile(name, relative string) ([]body, error) {
	source, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, source, 0)
	if err != nil {
		return nil, err
	}

	lines := strings.Split(string(source), "\n")
	var bodies []body
	for _, declaration := range file.Decls {
		// What C or assembly implements has no body here.
		function, ok := declaration.(*ast.FuncDecl)
		if !ok || function.Body == nil {
			continue
		}

		// The lines between the braces: a body on one line has none.
		first, last := set.Position(function.Body.Lbrace).Line, set.Position(function.Body.Rbrace).Line
		if last-first-1 < long {
			continue
		}

		b := measure(lines[first : last-1])
		b.module, b.folder, b.name = moduleOf(relative), path.Dir(relative), function.Name.Name
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

// writeShares writes a line for each module, or for each package, in the order of their names.
func writeShares(w io.Writer, bodies []body, packages bool) {
	heading, groupOf := "module", func(b body) string { return b.module }
	if packages {
		heading, groupOf = "package", func(b body) string { return b.folder }
	}

	type sum struct{ bodies, lines, blank int }
	sums := make(map[string]sum)
	for _, b := range bodies {
		s := sums[groupOf(b)]
		sums[groupOf(b)] = sum{bodies: s.bodies + 1, lines: s.lines + b.lines, blank: s.blank + b.blank}
	}

	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer table.Flush()
	fmt.Fprintf(table, "%s\tbodies\tlines\tblank or comment\tshare\t\n", heading)
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		s := sums[name]
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%.1f %%\t\n", name, s.bodies, s.lines, s.blank, 100*float64(s.blank)/float64(s.lines))
	}
}

// writeDensest writes the n bodies with the longest runs of code without a break, the longest first.
func writeDensest(w io.Writer, bodies []body, n int) {
	slices.SortFunc(bodies, func(a, b body) int { return cmp.Compare(b.longestRun, a.longestRun) })

	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer table.Flush()
	for _, b := range bodies[:min(n, len(bodies))] {
		fmt.Fprintf(table, "%s\t%s\t%d lines\t%d without a break\t\n", b.position, b.name, b.lines, b.longestRun)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "bodies:", err)
	os.Exit(2)
}
