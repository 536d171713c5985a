package docs

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gestor.local/e2e/scenario"
)

// block is a block of code on a page.
type block struct {
	page, language, text string
	line                 int    // of its first line of code
	shows                string // what the page says that it prints: the block in the language text right after it
}

// notRead are the pages whose examples nobody is expected to type beside a running suite, by the beginning of their path.
func notRead() map[string]string {
	return map[string]string{
		"CHANGELOG.md":    "tells of the past",
		"docs/adr/":       "decisions tell of the past",
		"docs/benchmarks": "tells which command measured what, on a quiet host and for hours",
	}
}

// pages are the Markdown files that readers type from, by their path from the repository's root.
func pages(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, name := range files(t, root) {
		if path.Ext(name) != ".md" || matches(notRead(), name) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		found[name] = string(text)
	}
	for _, name := range []string{
		"README.md", "docs/kernel-module.md", "docs/generator.md", "docs/journal.md", "docs/policy.md", "docs/operating.md",
		"docs/records.md", "docs/contract.md", "docs/charts.md",
	} {
		if found[name] == "" {
			t.Errorf("%s was not found", name)
		}
	}
	return found
}

func matches(beginnings map[string]string, name string) bool {
	for beginning := range beginnings {
		if strings.HasPrefix(name, beginning) {
			return true
		}
	}
	return false
}

// files are the files of the repository, without what git is told to ignore.
func files(t *testing.T, root string) []string {
	t.Helper()
	out, err := exec.Command("git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Skipf("this is no clone of the repository, or git is not installed: %v", err)
	}
	names := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	return slices.DeleteFunc(names, func(name string) bool { // deleted, and not yet committed
		_, err := os.Lstat(filepath.Join(root, name))
		return err != nil
	})
}

// read finds the blocks of a page: fenced ones, and indented ones with the language "indented".
func read(page, text string) (found []block) {
	var open *block
	fence, before := "", ""
	for i, line := range strings.Split(text, "\n") {
		mark := strings.TrimLeft(line, " ")
		switch {
		case fence != "" && strings.HasPrefix(mark, fence):
			fence, open = "", nil
		case fence != "":
			open.text += line + "\n"
		case strings.HasPrefix(mark, "```") || strings.HasPrefix(mark, "~~~"):
			fence = mark[:3]
			found = append(found, block{page: page, language: strings.TrimLeft(mark, "`~"), line: i + 2})
			open = &found[len(found)-1]
		case strings.HasPrefix(line, "    ") && open != nil:
			open.text += line + "\n"
		case strings.HasPrefix(line, "    ") && strings.TrimSpace(before) == "":
			found = append(found, block{page: page, language: "indented", line: i + 1, text: line + "\n"})
			open = &found[len(found)-1]
		default:
			open = nil
		}
		before = line
	}
	return joinShown(found)
}

// joinShown moves a block in the language text that stands right after one in sh into it, as what it prints.
func joinShown(blocks []block) (joined []block) {
	for _, b := range blocks {
		last := len(joined) - 1
		if b.language == "text" && last >= 0 && joined[last].language == "sh" && joined[last].shows == "" &&
			b.line == joined[last].line+strings.Count(joined[last].text, "\n")+3 {
			joined[last].shows = b.text
			continue
		}
		joined = append(joined, b)
	}
	return joined
}

func TestBlocksAreFound(t *testing.T) {
	const page = "# T\n\n```sh\na\n  b # c\n```\n\n```text\nprints\n```\ntext\n\n    indented\n    two\n\nx\n    goes on\n\n- item\n  ```sh\n  d\n  ```\n```json\n{}\n```\n"
	want := []block{
		{page: "p", language: "sh", line: 4, text: "a\n  b # c\n", shows: "prints\n"},
		{page: "p", language: "indented", line: 13, text: "    indented\n    two\n"},
		{page: "p", language: "sh", line: 21, text: "  d\n"},
		{page: "p", language: "json", line: 24, text: "{}\n"},
	}
	if got := read("p", page); !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// Only blocks in sh are run: what a reader is to type stands in none of another kind.
func TestWhatIsToBeTypedIsMarkedAsShell(t *testing.T) {
	command := regexp.MustCompile(`(?m)^\s*(\$ |(curl|docker|make|sudo|jq|cat|scripts/|git|apt-get|systemctl) ?)`)
	for name, text := range pages(t, scenario.Root(t)) {
		for _, b := range read(name, text) {
			switch {
			case b.language == "sh":
			case slices.Contains([]string{"bash", "shell", "console", "zsh"}, b.language):
				t.Errorf("%s:%d: a block in %s is not run: write sh, without prompts", b.page, b.line, b.language)
			case b.language != "text" && command.MatchString(b.text):
				t.Errorf("%s:%d: this looks like something to type and is not run: mark it as sh", b.page, b.line)
			}
		}
	}
}

// A command of a service has one form, in blocks and in the text; the survey has a second one, for hosts without a clone.
func TestCommandsHaveOneForm(t *testing.T) {
	table := readTable(t, scenario.Root(t))
	var names []string
	for _, c := range table {
		names = append(names, regexp.QuoteMeta(c.name))
	}
	other := regexp.MustCompile(`docker[ -]compose exec|/gestor-(manager|generator|logs)\b` +
		`|\b(gestor-)?(manager|generator|logs) (` + strings.Join(names, "|") + `)\b`)
	allowed := strings.NewReplacer("scripts/gestor ", "scripts/gestor:", "gestor/manager survey", "gestor/manager:survey")
	code := regexp.MustCompile("(?s)```.*?```|`[^`\n]+`")
	for name, text := range pages(t, scenario.Root(t)) {
		for _, at := range code.FindAllStringIndex(text, -1) {
			span := allowed.Replace(text[at[0]:at[1]])
			for _, form := range other.FindAllStringIndex(span, -1) {
				line := 1 + strings.Count(text[:at[0]], "\n") + strings.Count(span[:form[0]], "\n")
				t.Errorf("%s:%d: %q: write scripts/gestor COMMAND", name, line, span[form[0]:form[1]])
			}
		}
	}
}

// command is a row of the table in scripts/gestor.
type command struct{ name, service, where, files string }

func readTable(t *testing.T, root string) (found []command) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "scripts/gestor"))
	if err != nil {
		t.Fatal(err)
	}
	_, rows, _ := strings.Cut(string(text), "\ncommands='")
	rows, _, _ = strings.Cut(strings.ReplaceAll(rows, `'"'"'`, "’"), "'\n")
	for row := range strings.Lines(rows) {
		f := strings.Fields(row)
		if len(f) < 5 {
			t.Fatalf("scripts/gestor: a row of its table is %q", row)
		}
		found = append(found, command{f[0], f[1], f[2], f[3]})
	}
	if len(found) < 10 {
		t.Fatalf("only %d commands were found in scripts/gestor", len(found))
	}
	return found
}
