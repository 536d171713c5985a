package wal

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gestor.local/wal/disk"
)

// Names makes and reads the names of a log's files: a prefix, the number of the first record, 20 digits wide so that names
// sort like numbers, and an extension.
type Names struct{ Prefix, Ext string }

// Of is the name of the file that begins with a number.
func (n Names) Of(first uint64) string { return fmt.Sprintf("%s%020d%s", n.Prefix, first, n.Ext) }

// First reads a name back; ok is false for a name of another form.
func (n Names) First(name string) (first uint64, ok bool) {
	digits, hasPrefix := strings.CutPrefix(name, n.Prefix)
	digits, hasExt := strings.CutSuffix(digits, n.Ext)
	if !hasPrefix || !hasExt {
		return 0, false
	}

	first, err := strconv.ParseUint(digits, 10, 64)
	return first, err == nil && n.Of(first) == name
}

// Select returns the first numbers of those names that have the form, ascending.
func (n Names) Select(names []string) []uint64 {
	var out []uint64
	for _, name := range names {
		if first, ok := n.First(name); ok {
			out = append(out, first)
		}
	}
	slices.Sort(out)
	return out
}

// List is Select for what is in a directory; an absent directory is empty.
func (n Names) List(fsys disk.FS, dir string) ([]uint64, error) {
	names, err := fsys.List(dir)
	if err != nil {
		return nil, err
	}
	return n.Select(names), nil
}
