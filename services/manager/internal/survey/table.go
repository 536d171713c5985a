package survey

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"gestor.local/manager/internal/planview"
	"gestor.local/manager/internal/policyfile"
)

// Table writes the survey for a terminal of 100 columns.
func (s *Survey) Table(to io.Writer) error {
	out := bufio.NewWriter(to)
	fmt.Fprint(out, planview.Wrap("", "", s.looked()+"."))
	fmt.Fprint(out, planview.Wrap("", "", s.verdict()))

	const row = "%-30s %6s %7s %9s %10s %10s %8s\n"
	if len(s.Kinds) > 0 {
		fmt.Fprintf(out, "\n"+row, "", "count", "oldest", "cpu", "memory", "layers", "volumes")
	}
	for _, k := range s.Kinds {
		fmt.Fprintf(out, row, k.title(), fmt.Sprint(k.Count), age(k.OldestSeconds), k.Held.cpu(), k.Held.memory(), k.Held.layers(),
			volumes(k.Held.AnonymousVolumes))
		fmt.Fprint(out, planview.Wrap("", "  ", k.examples()))
	}

	if notes := s.notes(); len(notes) > 0 {
		fmt.Fprintln(out)
		for _, note := range notes {
			fmt.Fprint(out, planview.Wrap("", "- ", note))
		}
	}
	s.writeRules(out)
	return out.Flush()
}

func volumes(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// writeRules writes what a policy would do about each kind.
func (s *Survey) writeRules(out *bufio.Writer) {
	if len(s.Kinds) == 0 {
		return
	}

	fmt.Fprintln(out, "\nWhat a policy would do about them; nothing of it is in force:")
	for _, k := range s.Kinds {
		if k.Rule == nil {
			fmt.Fprint(out, planview.Wrap("", "  ", k.title()+": no rule: "+k.Why+"."))
			continue
		}
		fmt.Fprint(out, planview.Wrap("", "  ", k.Sentence))
	}
	fmt.Fprint(out, "\nNext: scripts/gestor survey --yaml writes this as a policy that owns nothing until you edit it.\n")
}

// YAML writes a whole policy of version 2 that owns nobody and so does nothing. What is proposed stands in it as comments: without their
// first # they are in force, each alone or all of them.
func (s *Survey) YAML(to io.Writer) error {
	out := bufio.NewWriter(to)
	comment := func(text string) { fmt.Fprint(out, strings.TrimRight(planview.Wrap("# ", "", text), " \n")+"\n") }
	s.writeHead(comment)

	fmt.Fprint(out, "\nversion: 2\n\n")
	comment("Whom the policy may touch. As it stands nobody, own: []. A label, an image or a project is also of those that come later.")
	s.writeOwn(out)

	comment("What becomes of them, read from the top. Each begins with a warning.")
	if len(s.Kinds) == 0 {
		fmt.Fprint(out, "rules: []\n")
		return out.Flush()
	}
	fmt.Fprint(out, "rules: [\n")
	for _, k := range s.Kinds {
		fmt.Fprint(out, planview.Wrap("  ## ", "", k.line()))
		if k.Rule == nil {
			fmt.Fprint(out, planview.Wrap("  ## ", "", "No rule: "+k.Why+"."))
			continue
		}
		fmt.Fprint(out, planview.Wrap("  ## ", "", k.Sentence))
		fmt.Fprintf(out, "  # %s,\n", policyfile.RuleText(*k.Rule))
	}
	fmt.Fprint(out, "]\n")
	return out.Flush()
}

// writeOwn writes the list of selectors, open for what stands in it as comments.
func (s *Survey) writeOwn(out *bufio.Writer) {
	p := s.Policy()
	if len(p.Own) == 0 {
		fmt.Fprint(out, "own: []\n\n")
		return
	}

	fmt.Fprint(out, "own: [\n")
	for _, own := range p.Own {
		fmt.Fprintf(out, "  # %s,\n", policyfile.SelectorText(own))
	}
	fmt.Fprint(out, "]\n\n")
}

// writeHead writes what the file is, what was found, and what to do next.
func (s *Survey) writeHead(comment func(string)) {
	comment("A policy for this host, proposed by a survey on " + s.At.Format("2006-01-02 15:04 UTC") + ".")
	comment("It owns no container, so nothing is done to any: what is proposed below stands in comments.")
	comment("")
	comment(s.looked() + ".")
	comment(s.verdict())
	for _, k := range s.Kinds {
		comment("- " + k.line())
	}
	for _, note := range s.notes() {
		comment("- " + note)
	}

	comment("")
	comment("Next:")
	for _, step := range []string{
		"1. take the first # away from the lines of own and rules that you mean, and change them",
		"2. scripts/gestor check-policy policy/host.yaml: each rule as a sentence",
		"3. scripts/gestor policy-plan: what would be done now and next; it touches nothing",
		"4. make approve: puts it in force; until then the manager only observes",
	} {
		comment(step)
	}
}

// line says of a kind how many there are and since when.
func (k *Kind) line() string {
	held := make([]string, 0, 3)
	for _, part := range []struct{ what, text string }{
		{"memory", k.Held.memory()}, {"layers", k.Held.layers()}, {"anonymous volumes", volumes(k.Held.AnonymousVolumes)},
	} {
		if part.text != "-" {
			held = append(held, part.what+" "+part.text)
		}
	}
	return fmt.Sprintf("%d %s, the oldest %s, %s: %s.", k.Count, k.title(), age(k.OldestSeconds), strings.Join(held, ", "), k.examples())
}
