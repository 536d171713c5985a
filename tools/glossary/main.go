// Glossary lists the names that this code once had and that the field calls otherwise, as far as they are still
// declared: a name that a reader has to ask about comes back easily. words.tsv holds the names, each with the file or
// folder in which it stood and the field's term for it.
//
//	cd tools && go run ./glossary [ROOT]
//
// Ends with status 1 while any of them is left.
package main

import (
	"cmp"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"strings"
)

//go:embed words.tsv
var table string

func main() {
	flag.Parse()
	words, err := parse(table)
	if err != nil {
		fail(err)
	}
	found, err := find(cmp.Or(flag.Arg(0), ".."), words)
	if err != nil {
		fail(err)
	}

	for _, l := range found {
		fmt.Printf("%s\t%s\t→ %s\t%s\n", l.where, l.old, l.term, strings.Join(l.positions, " "))
	}
	fmt.Printf("%d of %d names are left\n", len(found), len(words))
	if len(found) > 0 {
		os.Exit(1)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "glossary:", err)
	os.Exit(2)
}
