package main

import (
	"cmp"
	"fmt"
	"io"
	"reflect"
)

// printSettings writes the table of all settings as Markdown: what the documentation shows and what people read on a
// terminal are the same text.
func printSettings(w io.Writer) {
	fmt.Fprint(w, "| setting | default | meaning |\n|---|---|---|\n")
	t := reflect.TypeFor[config]()
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		fmt.Fprintf(w, "| `GESTOR_%s` | %s | %s |\n", tag.Get("env"), cmp.Or(tag.Get("envDefault"), "-"), tag.Get("help"))
	}
}
