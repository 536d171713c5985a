package contract

import (
	"strconv"
	"strings"
)

// Problems lists everything that is wrong with a document. As an error it prints one problem a line.
type Problems []Problem

// Problem is one thing that is wrong.
type Problem struct {
	// Where is the path of the field ("containers[3].id", "quota.low") or "" for the whole document.
	Where string
	// Line is the line of the source text (1-based), 0 where it is not known.
	Line int
	// What says what is wrong; Hint what to write instead, "" where What says it all.
	What, Hint string
}

// Add appends a problem.
func (p *Problems) Add(where, what string) { *p = append(*p, Problem{Where: where, What: what}) }

// Err is nil when there is no problem.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

func (p Problem) String() string {
	var b strings.Builder
	if p.Line > 0 {
		b.WriteString("line ")
		b.WriteString(strconv.Itoa(p.Line))
		b.WriteString(": ")
	}
	if p.Where != "" {
		b.WriteString(p.Where)
		b.WriteString(": ")
	}

	b.WriteString(p.What)
	if p.Hint != "" {
		b.WriteString(" (")
		b.WriteString(p.Hint)
		b.WriteString(")")
	}
	return b.String()
}
