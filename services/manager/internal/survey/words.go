package survey

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/planview"
)

// title is what people call the kind.
func (k *Kind) title() string {
	switch k.Kind {
	case KindRestarting:
		return "restarting again and again"
	case KindTool:
		return "of " + k.Tool
	case KindProject:
		return "old compose projects"
	case KindEnded:
		return "ended"
	case KindCreated:
		return "created, never started"
	case KindIdle:
		return "idle, no restart policy"
	case KindAnonymousVolumes:
		return "ended with anonymous volumes"
	default:
		return "run without a memory limit"
	}
}

// parkedTexts say why a container is parked.
var parkedTexts = map[ParkedWord]string{ //nolint:gochecknoglobals // a table
	ParkedRestart: "restart policy", ParkedNamed: "named volume", ParkedAnonymous: "anonymous volume", ParkedBind: "folder of the host",
	ParkedProjectRuns: "its project runs",
}

func (p Parked) text() string {
	words := make([]string, len(p.Why))
	for i, w := range p.Why {
		words[i] = parkedTexts[w]
	}
	return p.Name + " (" + strings.Join(words, ", ") + ")"
}

// looked says what the survey is of.
func (s *Survey) looked() string {
	text := fmt.Sprintf("%s of %s, %d running, read twice, %s apart", plural(s.Containers, "container", "containers"),
		contract.Printable(cmp.Or(s.Host, "this host")), s.Running, (time.Duration(s.Apart) * time.Millisecond).Round(time.Second/10))
	if s.Source == "" {
		return text + ", from the engine alone"
	}
	return text + ", from the engine and " + sourceWords[s.Source]
}

var sourceWords = map[string]string{ //nolint:gochecknoglobals // a table
	contract.SourceModule: "the kernel module", contract.SourceProcfs: "/proc",
}

// looksFor is what a survey that finds nothing has looked for.
const looksFor = "Looked for: containers that ended, or were created and never started; that restart again and again; that run idle " +
	"without a restart policy; of tests, builds and agents; old compose projects; anonymous volumes of the ended; no memory limit."

// verdict says whether anything leaks.
func (s *Survey) verdict() string {
	containers, kinds := s.Found()
	if kinds == 0 {
		return "Nothing leaks here. " + looksFor
	}
	return fmt.Sprintf("%s in %s, the worst first:", plural(containers, "container leaks", "containers leak"), plural(kinds, "way", "ways"))
}

// notes are what is to be known beside the kinds: who was left out, parked or unknown, and what could not be had.
func (s *Survey) notes() (notes []string) {
	if n := len(s.Parked); n > 0 {
		texts := make([]string, n)
		for i, p := range s.Parked {
			texts[i] = p.text()
		}
		notes = append(notes, fmt.Sprintf("parked: %d, no rule: they are kept, or hold something: %s", n, someOf(texts)))
	}

	if out := s.LeftOut.texts(); len(out) > 0 {
		notes = append(notes, "left out: "+strings.Join(out, ", "))
	}
	if n := len(s.Unknown); n > 0 {
		notes = append(notes, fmt.Sprintf("unknown: %d that the engine did not tell about in time, judged by nothing: %s", n, someOf(s.Unknown)))
	}
	for _, m := range s.Missing {
		notes = append(notes, "missing: "+contract.Printable(m))
	}
	return notes
}

func (l LeftOut) texts() (texts []string) {
	for _, part := range []struct {
		n    int
		text string
	}{
		{l.Gestor, "of Gestor or started by it"},
		{l.Socket, "that mount the engine's socket"},
		{l.Orchestrator, "that an orchestrator keeps"},
		{l.Nameless, "of whom the engine tells no name"},
	} {
		if part.n > 0 {
			texts = append(texts, fmt.Sprintf("%d %s", part.n, part.text))
		}
	}
	return texts
}

// someOf is the first names of a list, and how many more there are.
func someOf(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// examples are up to three names, of projects where they are counted: those that hold most first.
func (k *Kind) examples() string {
	members := slices.Clone(k.Members)
	slices.SortStableFunc(members, func(a, b Member) int { return cmp.Compare(b.Held.bytes(), a.Held.bytes()) })

	var names []string
	for _, m := range members {
		name := m.Name
		if k.Kind == KindProject {
			name = contract.Printable(m.Project)
		}
		if name = contract.Shorten(name, nameWidth); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return someOf(names)
}

// nameWidth cuts names at the end, so that three of them fit in a line of 100 columns.
const nameWidth = 25

// age is to the largest unit: 4d, 23h.
func age(seconds int64) string {
	d := policy2.Duration(seconds)
	for _, unit := range []policy2.Duration{policy2.Day, policy2.Hour, policy2.Minute} {
		if d >= unit {
			return (d - d%unit).String()
		}
	}
	return d.String()
}

// figure is a sum as text: unknown where nobody's is known, with a + behind it where somebody's is not, - where there is none to have.
func figure[T uint64 | int64](sum *T, unknown int, text func(T) string) string {
	switch {
	case sum == nil && unknown == 0:
		return "-"
	case sum == nil:
		return "unknown"
	case unknown > 0:
		return text(*sum) + "+"
	default:
		return text(*sum)
	}
}

func (h Held) cpu() string {
	return figure(h.CPUMillicores, h.CPUUnknown, func(m uint64) string { return fmt.Sprintf("%d.%d%%", m/10, m%10) })
}

func (h Held) memory() string {
	return figure(h.MemoryKB, h.MemoryUnknown, func(kb uint64) string { return planview.Bytes(int64(min(kb, 1<<50)) << 10) })
}

func (h Held) layers() string {
	return figure(h.LayerBytes, h.LayerUnknown, planview.Bytes)
}

func plural(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}
