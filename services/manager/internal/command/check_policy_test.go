package command

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/policyfile"
	"gestor.local/manager/internal/rules"
	"gestor.local/program/cli"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a text with the file testdata/name of this package, wherever the test has gone since.
func golden(t *testing.T, folder, name, got string) {
	t.Helper()
	file := filepath.Join(folder, "testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil || got != string(want) {
		t.Errorf("%s (-update writes it): %v, got\n%s", file, err, got)
	}
}

// inFolder goes to an empty folder with these files, and says where it came from.
func inFolder(t *testing.T, files map[string]string) (before string) {
	t.Helper()
	before, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for name, text := range files {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return before
}

// Policies of version 2: one that is other people's and raises warnings, one that is Gestor's, and one that does nothing.
const (
	others = `version: 2
own: [{label: preview.branch}, {image: mcp/*}]
rules:
  - {name: stale, each: project, keep: {newest: 2, per: label preview.branch}, rest_when: {age: 3d}, rest: [warn, {after: 24h, do: stop}, {after: 4d, do: remove}]}
  - {name: bombs, when: {processes: 500}, do: stop}
budget: [60 per tick]
`
	gestors = `version: 2
rules:
  - {name: low, match: {class: low}, each: container, keep: {lightest: 3}, rest: remove}
`
	nobodys = "version: 2\nown: []\n"
)

func TestCheckPolicyOfVersion2(t *testing.T) {
	for name, text := range map[string]string{"others": others, "gestors": gestors, "nobodys": nobodys} {
		t.Run(name, func(t *testing.T) {
			before := inFolder(t, map[string]string{"policy.yaml": text})
			code, out, errs := call(CheckPolicy(Defaults{}), "policy.yaml")
			if code != 0 || errs != "" {
				t.Errorf("%d\n%s", code, errs)
			}
			golden(t, before, "check-policy-"+name+".txt", out)

			// What is printed is the policy again: all that is said beside it are comments.
			read, err := policyfile.Parse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			again, err := policyfile.Parse([]byte(out))
			if err != nil || again.Hash() != read.Hash() {
				t.Errorf("what is printed is another policy: %v", err)
			}
			const lineWidth = 100 // planview.Wrap's
			for line := range strings.Lines(out) {
				if strings.HasPrefix(line, "#") && len([]rune(line)) > lineWidth+1 {
					t.Errorf("longer than %d: %s", lineWidth, line)
				}
			}
		})
	}
}

func TestCheckPolicyStrict(t *testing.T) {
	inFolder(t, map[string]string{"others.yaml": others, "gestors.yaml": gestors, "v1.yaml": "version: 1\n", "bad.yaml": "version: 2\nrule: []\n"})
	for _, c := range []struct {
		args      string
		code      int
		out, errs string // what must stand there; "" is nothing at all
	}{
		{"others.yaml", 0, "# Warnings:", ""},
		{"--strict others.yaml", 2, "# Warnings:", `rule "stale" gives 1d of notice`},
		{"--quiet others.yaml", 0, "", ""},
		{"--quiet --strict others.yaml", 2, "", "30 per 1h (default) is below 60 per tick (write per 1h too)"},
		{"--strict gestors.yaml", 0, "needs no approval", ""},
		{"--quiet --strict gestors.yaml", 0, "", ""},
		{"--strict v1.yaml", 0, "quota:", ""},
		{"bad.yaml", 2, "", "line 2: rule: "},
		{"--strict bad.yaml", 2, "", "line 2: rule: "},
	} {
		code, out, errs := call(CheckPolicy(Defaults{}), strings.Fields(c.args)...)
		if code != c.code || (out == "") != (c.out == "") || (errs == "") != (c.errs == "") ||
			!strings.Contains(out, c.out) || !strings.Contains(errs, c.errs) {
			t.Errorf("%s: %d\n%s\n%s", c.args, code, out, errs)
		}
	}
}

// The document of an approval is looked for beside the policy, whatever the folder of the process.
func TestCheckPolicySaysWhatIsApproved(t *testing.T) {
	inFolder(t, nil)
	approves := func(text string) string {
		d, err := policyfile.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		document, err := policy2.NewApproved(*d.V2, time.Date(2026, 11, 29, 9, 14, 20, 0, time.UTC), "ana@host", 87).Text()
		if err != nil {
			t.Fatal(err)
		}
		return string(document)
	}

	for name, c := range map[string]struct {
		policy, document string
		want             []string
	}{
		"none":       {others, "", []string{"# It needs approval, and observes until then: it may touch containers that Gestor did not start.\n#\n"}},
		"this":       {others, approves(others), []string{"# It is approved: by ana@host on 2026-11-29 09:14 UTC, with 87 own containers (host/approved.json).\n"}},
		"unreadable": {others, "{}", []string{"# It needs approval", "# host/approved.json approves nothing: read approval: \"v\" is missing\n"}},
		"another": {
			others, approves(strings.Replace(others, "500", "400", 1)),
			[]string{
				"# It needs approval", "# host/approved.json approves another policy, hash ",
				"# - rule \"bombs\".when.processes: approved 400, now 500\n",
			},
		},
		"none needed": {gestors, approves(gestors), []string{"# It needs no approval: it touches nothing but what Gestor started.\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			inFolder(t, nil)
			if err := os.Mkdir("host", 0o755); err != nil {
				t.Fatal(err)
			}
			for file, text := range map[string]string{"policy.yaml": c.policy, "approved.json": c.document} {
				if text == "" {
					continue
				}
				if err := os.WriteFile(filepath.Join("host", file), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}

			_, out, _ := call(CheckPolicy(Defaults{}), "host/policy.yaml")
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("%q is not in\n%s", want, out)
				}
			}
		})
	}
}

// --host adds what the policy comes to on this host; without it the engine is not asked.
func TestCheckPolicyOnAHost(t *testing.T) {
	inFolder(t, nil)
	for file, text := range map[string]string{"others.yaml": others, "v1.yaml": "version: 1\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	var down error
	asked := 0
	webhook := ""
	defaults := Defaults{
		Host: func(context.Context) (rules.Facts, error) {
			asked++
			return rules.Facts{}, down
		},
		Webhook: func(context.Context) string { return webhook },
	}
	const warning = "matches nothing"
	for _, c := range []struct {
		args      string
		down      error
		code      int
		out, errs string
		asked     int
	}{
		{"others.yaml", nil, 0, "# Warnings:", "", 0},
		{"--host others.yaml", nil, 0, warning, "", 1},
		{"--host --strict --quiet others.yaml", nil, 2, "", warning, 1},
		{"--host others.yaml", cli.WithExitCode(4, errors.New("no engine")), 4, "", "no engine", 1},
		{"--host v1.yaml", nil, 0, "quota:", "", 0},
	} {
		down, asked = c.down, 0
		code, out, errs := call(CheckPolicy(defaults), strings.Fields(c.args)...)
		if code != c.code || asked != c.asked || !strings.Contains(out, c.out) || !strings.Contains(errs, c.errs) || (out == "") != (c.out == "") {
			t.Errorf("%s: %d, asked %d times\n%s\n%s", c.args, code, asked, out, errs)
		}
		if c.asked == 0 && strings.Contains(out, warning) {
			t.Errorf("%s: warns of a host that was not asked:\n%s", c.args, out)
		}
	}

	const unreached = "the URL cannot be reached: the receiver refuses the connection"
	down, webhook = nil, "the receiver refuses the connection"
	for args, want := range map[string]bool{"--host others.yaml": true, "others.yaml": false} {
		if code, out, _ := call(CheckPolicy(defaults), strings.Fields(args)...); code != 0 || strings.Contains(out, unreached) != want {
			t.Errorf("%s: %d\n%s", args, code, out)
		}
	}
}
