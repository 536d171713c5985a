package main

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"gestor.local/manager/internal/govern"
)

// What the repository's pages say of settings, of each other and of decisions is compared here with what is there: for all
// services, because the pages are one whole.

var updatePages = flag.Bool("update", false, "write the tables of docs/settings.md anew")

const root = "../.."

// pages are the repository's Markdown files, by their path from its root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	walk(t, func(path string, text []byte) {
		if strings.HasSuffix(path, ".md") {
			found[path] = string(text)
		}
	})
	for _, one := range []string{"README.md", "CHANGELOG.md", "docs/operating.md", "docs/adr/README.md", "stress-images/README.md"} {
		if found[one] == "" {
			t.Fatalf("%s was not found", one)
		}
	}
	return found
}

// walk shows every file of the repository that is not made by a build or a run.
func walk(t *testing.T, see func(path string, text []byte)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path, _ = filepath.Rel(root, path)
		if d.IsDir() && (slices.Contains([]string{"data", "bin", "secrets"}, path) || path != "." && strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if !d.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(filepath.Join(root, path))
		if err == nil && !bytes.Contains(text, []byte{0}) {
			see(path, text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// read returns a file of the repository.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// setting is one field of a service's config.
type setting struct{ name, fallback, help string }

// settingsOf reads the settings of a service from the struct that the service reads them into.
func settingsOf(t *testing.T, service string) (found []setting) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "services", service, "config.go"), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || spec.Name.Name != "config" {
			return true
		}
		for _, field := range spec.Type.(*ast.StructType).Fields.List {
			text, _ := strconv.Unquote(field.Tag.Value)
			tag := reflect.StructTag(text)
			name := "GESTOR_" + strings.TrimPrefix(tag.Get("env"), "GESTOR_")
			found = append(found, setting{name, tag.Get("envDefault"), tag.Get("help")})
		}
		return false
	})
	if len(found) < 10 {
		t.Fatalf("only %d settings of %s were found", len(found), service)
	}
	return found
}

// environment is what a compose file says of a service's environment: nil is passed on from .env, anything else is fixed.
func environment(t *testing.T, path, service string) map[string]any {
	t.Helper()
	var file struct {
		Services map[string]struct {
			Environment map[string]any `yaml:"environment"`
		} `yaml:"services"`
	}
	// A service writes a key again that it merges from an anchor.
	if err := yaml.UnmarshalWithOptions([]byte(read(t, path)), &file, yaml.AllowDuplicateMapKey()); err != nil {
		t.Fatal(err)
	}
	return file.Services[service].Environment
}

// settingsTable is a service's table in docs/settings.md.
func settingsTable(t *testing.T, service string) string {
	t.Helper()
	composed, tokens := environment(t, "compose.yaml", service), environment(t, "compose.tokens.yaml", service)
	notices := environment(t, "compose.notify.yaml", service)
	known := map[string]bool{}
	var out strings.Builder
	out.WriteString("| setting | default | with compose | |\n|---|---|---|---|\n")
	for _, s := range settingsOf(t, service) {
		known[s.name] = true
		where := "–"
		value, there := composed[s.name]
		_, withNotices := notices[s.name]
		switch {
		case there && value == nil:
			where = "`.env`"
		case there:
			where = fmt.Sprintf("is `%v`", value)
		case tokens[s.name] != nil:
			where = "see [operating](operating.md#on-a-shared-machine)"
		case withNotices:
			where = "see [operating](operating.md#notices)"
		}
		var fallback string
		if s.fallback != "" {
			fallback = "`" + s.fallback + "`"
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", s.name, fallback, where, strings.ReplaceAll(s.help, "|", `\|`))
	}
	for _, names := range []map[string]any{composed, tokens, notices} {
		for name := range names {
			if strings.HasPrefix(name, "GESTOR_") && !known[name] {
				t.Errorf("compose gives %s to the service %s, which reads no such setting", name, service)
			}
		}
	}
	return out.String()
}

// Every setting of a service is on the page, with what compose makes of it.
func TestEverySettingOfAServiceIsOnThePage(t *testing.T) {
	const page = "docs/settings.md"
	for _, service := range []string{"manager", "generator", "logs"} {
		text := read(t, page)
		begin, end := "<!-- settings of "+service+" -->\n", "<!-- end -->\n"
		before, rest, ok := strings.Cut(text, begin)
		table, after, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("%s has no table between %q and %q", page, begin, end)
		}
		want := settingsTable(t, service)
		if table == want {
			continue
		}
		if *updatePages {
			if err := os.WriteFile(filepath.Join(root, page), []byte(before+begin+want+end+after), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		t.Errorf("%s says other than services/%s/config.go and compose.yaml; go test ./services/manager -run OnThePage -update writes\n%s",
			page, service, want)
	}
}

// What compose.yaml itself reads, and the file with the webhook on top of it, is on the page with the default that compose takes, and nothing else is in that table.
func TestEverySettingOfComposeIsOnThePage(t *testing.T) {
	wanted := map[string]string{}
	for _, m := range regexp.MustCompile(`\$\{(GESTOR_[A-Z_]+)(?::-([^}]*))?\}`).FindAllStringSubmatch(read(t, "compose.yaml")+read(t, "compose.notify.yaml"), -1) {
		wanted[m[1]] = m[2]
	}
	if len(wanted) < 5 {
		t.Fatalf("only %v were found in compose.yaml", wanted)
	}

	_, section, _ := strings.Cut(read(t, "docs/settings.md"), "\n## Compose\n")
	section, _, _ = strings.Cut(section, "\n## ")
	said := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(GESTOR_[A-Z_]+)` \\| (?:`([^`]*)`)? ?\\|").FindAllStringSubmatch(section, -1) {
		said[m[1]] = m[2]
	}

	if !maps.Equal(said, wanted) {
		t.Errorf("the table under Compose of docs/settings.md says %v, compose.yaml reads %v", said, wanted)
	}
}

// A page that tells of a setting nobody reads sends people the wrong way. The changelog and the decisions tell of the past.
func TestEveryNameOnAPageIsRead(t *testing.T) {
	known := map[string]bool{}
	for _, service := range []string{"manager", "generator", "logs"} {
		for _, s := range settingsOf(t, service) {
			known[s.name] = true
		}
	}
	name := regexp.MustCompile(`GESTOR_[A-Z0-9_]*[A-Z0-9]`)
	asked := regexp.MustCompile(`(?:Getenv|LookupEnv)\("(GESTOR_[A-Z0-9_]+)"\)`)
	walk(t, func(path string, text []byte) {
		switch {
		case strings.HasSuffix(path, ".sh"), strings.HasPrefix(path, "scripts/") && filepath.Ext(path) == "",
			filepath.Base(path) == "Makefile", strings.HasPrefix(path, "compose"):
			for _, one := range name.FindAll(text, -1) {
				known[string(one)] = true
			}
		case strings.HasSuffix(path, ".go"):
			for _, m := range asked.FindAllSubmatch(text, -1) {
				known[string(m[1])] = true
			}
		}
	})

	for path, text := range pages(t) {
		if path == "CHANGELOG.md" || strings.HasPrefix(path, "docs/adr/") {
			continue
		}
		for _, one := range name.FindAllString(text, -1) {
			if !known[one] {
				t.Errorf("%s tells of %s, which no service, no script and no compose file reads", path, one)
			}
		}
	}
}

var (
	fences   = regexp.MustCompile("(?ms)^```.*?^```")
	links    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headings = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	unlisted = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	targets  = regexp.MustCompile(`\]\([^)]*\)`)
)

// anchors are the names under which a page's headings can be linked to, as GitHub makes them.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range headings.FindAllStringSubmatch(fences.ReplaceAllString(text, ""), -1) {
		plain := targets.ReplaceAllString(m[1], "]")
		slug := strings.ReplaceAll(unlisted.ReplaceAllString(strings.ToLower(plain), ""), " ", "-")
		for i, free := 0, slug; ; i++ {
			if i > 0 {
				free = fmt.Sprintf("%s-%d", slug, i)
			}
			if !found[free] {
				found[free] = true
				break
			}
		}
	}
	return found
}

// Links between the pages, and to files and headings, lead somewhere.
func TestLinksLeadSomewhere(t *testing.T) {
	all, followed := pages(t), 0
	for path, text := range all {
		for _, m := range links.FindAllStringSubmatch(fences.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			followed++
			file, anchor, _ := strings.Cut(m[1], "#")
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s links to %s: there is no %s", path, m[1], target)
				continue
			}
			if anchor != "" && !anchors(all[target])[anchor] {
				t.Errorf("%s links to %s: %s has no such heading", path, m[1], target)
			}
		}
	}
	if followed < 50 {
		t.Errorf("only %d links were found", followed)
	}
}

// A page that the README does not name is found by nobody.
func TestTheReadmeNamesEveryPage(t *testing.T) {
	named := map[string]bool{}
	for _, m := range links.FindAllStringSubmatch(read(t, "README.md"), -1) {
		file, _, _ := strings.Cut(m[1], "#")
		named[file] = true
	}
	for path := range pages(t) {
		if filepath.Dir(path) == "docs" && !named[path] {
			t.Errorf("README.md links to no %s: its table \"Where things are\" lists the pages", path)
		}
	}
}

// Whoever reads the name of a gate or a condition finds what to do about it.
func TestEveryConditionIsInTroubleshooting(t *testing.T) {
	rows := map[string]bool{}
	for row := range strings.Lines(read(t, "docs/troubleshooting.md")) {
		names, _, _ := strings.Cut(strings.TrimPrefix(row, "| "), " |")
		for name := range strings.SplitSeq(names, ", ") {
			rows[strings.Trim(name, "`")] = true
		}
	}
	for _, name := range slices.Concat(govern.GateNames(), govern.ConditionNames()) {
		if !rows[name] {
			t.Errorf("docs/troubleshooting.md does not say what to do about %s", name)
		}
	}
}

// A decision says when it was made and whether it still holds, and its number is in the list of numbers.
func TestDecisionsHaveADateAndAStatus(t *testing.T) {
	const folder = "docs/adr/"
	name := regexp.MustCompile(`^docs/adr/(\d{4})-[a-z0-9-]+\.md$`)
	head := regexp.MustCompile(`^# (\d{4}) \S.*\n\nDate: \d{4}-\d\d-\d\d · Status: ` +
		`(accepted|superseded(?: in part)? by \[\d{4}\]\(\d{4}-[a-z0-9-]+\.md\).*)\n\n\*\*Context\.\*\*`)
	var ranges [][]string
	for _, m := range regexp.MustCompile(`(?m)^\| (\d{4})(?:–(\d{4}))? \|`).FindAllStringSubmatch(read(t, folder+"README.md"), -1) {
		ranges = append(ranges, []string{m[1], cmp.Or(m[2], m[1])})
	}

	numbers := map[string]string{}
	for path, text := range pages(t) {
		if !strings.HasPrefix(path, folder) || path == folder+"README.md" {
			continue
		}
		m, h := name.FindStringSubmatch(path), head.FindStringSubmatch(text)
		if m == nil {
			t.Errorf("%s: the name must be four digits and a title", path)
			continue
		}
		if h == nil || h[1] != m[1] {
			t.Errorf("%s must begin with %q, an empty line, %q, an empty line and **Context.**", path, "# "+m[1]+" title",
				"Date: YYYY-MM-DD · Status: accepted")
		}
		if other := numbers[m[1]]; other != "" {
			t.Errorf("%s and %s have one number", path, other)
		}
		numbers[m[1]] = path
		if !slices.ContainsFunc(ranges, func(r []string) bool { return r[0] <= m[1] && m[1] <= r[1] }) {
			t.Errorf("%s: its number is in no range of %sREADME.md", path, folder)
		}
	}
	if len(numbers) < 40 {
		t.Errorf("only %d decisions were found", len(numbers))
	}
}
