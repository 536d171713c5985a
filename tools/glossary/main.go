// Glossary lists the names that this code once had and that the field calls otherwise, as far as they are still
// declared: a name that a reader has to ask about comes back easily. words.tsv holds the names, each with the file or
// folder in which it stood and the field's term for it; exceptions.tsv those of them that stay, and why.
//
//	cd tools && go run ./glossary [-exceptions] [ROOT]
//
// Ends with status 1 while any of them is left that does not stay.
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
var wordsTable string

//go:embed exceptions.tsv
var exceptionsTable string

func main() {
	listExceptions := flag.Bool("exceptions", false, "also list the names that stay, with the reason")
	flag.Parse()

	words, err := parseWords(wordsTable)
	if err != nil {
		fail(err)
	}
	exceptions, err := parseExceptions(exceptionsTable, words)
	if err != nil {
		fail(err)
	}
	found, err := find(cmp.Or(flag.Arg(0), ".."), words, exceptions)
	if err != nil {
		fail(err)
	}

	toChange, stay := 0, 0
	for _, l := range found {
		if l.reason == "" {
			toChange++
			fmt.Printf("%s\t%s\t→ %s\t%s\n", l.where, l.old, l.term, strings.Join(l.positions, " "))
			continue
		}
		stay++
		if *listExceptions {
			fmt.Printf("%s\t%s\tstays: %s\n", l.where, l.old, l.reason)
		}
	}

	fmt.Printf("%d of %d names are left, %d stay for a reason\n", toChange, len(words), stay)
	if toChange > 0 {
		os.Exit(1)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "glossary:", err)
	os.Exit(2)
}
