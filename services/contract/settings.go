package contract

import (
	"fmt"
	"io"
	"reflect"
	"text/tabwriter"
)

// WriteSettings writes what a program reads from the environment, a setting a line: its name, what it does, and its default in
// parentheses. config is the struct of the settings with the tags env, help and envDefault; the prefix comes before each name.
func WriteSettings(w io.Writer, prefix string, config any) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for field := range reflect.TypeOf(config).Fields() {
		value := field.Tag.Get("envDefault")
		if value != "" {
			value = " (" + value + ")"
		}
		fmt.Fprintf(t, "  %s%s\t%s%s\n", prefix, field.Tag.Get("env"), field.Tag.Get("help"), value)
	}
	return t.Flush()
}
