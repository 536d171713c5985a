// Walks checks and counts the walks of docs/architecture.md: the ordered lists of the functions that one tick, and one
// record, go through. A walk that names a file or a function that is not there any more is an error, so that the page
// stays true.
//
//	cd tools && go run ./walks [ROOT]
//
// Prints a row for each walk as the page's table has it: steps, files, how often the next step stands in another file,
// and how often that is a file that was left before. Ends with status 1 when a step is not found.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// page is where the walks stand, from the root of the repository.
const page = "docs/architecture.md"

func main() {
	flag.Parse()
	root := cmp.Or(flag.Arg(0), "..")

	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(page)))
	if err != nil {
		fail(err)
	}
	walks, err := parse(string(text))
	if err != nil {
		fail(err)
	}

	problems := 0
	for _, w := range walks {
		fmt.Println(count(w).row(w))
		for _, problem := range check(root, w) {
			problems++
			fmt.Fprintln(os.Stderr, "walks:", problem)
		}
	}
	if problems > 0 {
		os.Exit(1)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "walks:", err)
	os.Exit(2)
}
