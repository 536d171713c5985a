package policyfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

// parseVersion1 parses a document that is of version 1 if it is one at all.
func parseVersion1(text []byte) (contract.Policy, error) {
	d, err := Parse(text)
	if err != nil {
		return contract.Policy{}, err
	}
	return *d.V1, nil
}

func TestFormatThenParse(t *testing.T) {
	other := contract.DefaultPolicy()
	other.Mode, other.Classify, other.Images = contract.ModeShadow, contract.ClassifyRank, nil
	other.Protect = contract.Protect{Names: []string{"db", "12"}, Labels: []string{"a=b: c", "true"}}
	other.Gates.Settle = contract.Duration(1500 * time.Millisecond)
	other.Act.Ladder = []contract.Rung{contract.RungThrottle, contract.RungStop, contract.RungKill, contract.RungRemove}
	for _, want := range []contract.Policy{contract.DefaultPolicy(), other} {
		text, err := Format(Document{V1: &want})
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseVersion1(text)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}

		if got.Hash() != want.Hash() {
			t.Error("the hash changed on the way")
		}
	}
}

func TestMissingKeysTakeTheirDefaults(t *testing.T) {
	got, err := parseVersion1([]byte("version: 1\nquota:\n  low: 4\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := contract.DefaultPolicy()
	want.Quota.Low = 4
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestListsAndMapsReplaceTheDefault(t *testing.T) {
	got, err := parseVersion1([]byte("version: 1\nimages:\n  mine: low\nact: {ladder: [stop, remove]}\nprotect: {names: [a, b], labels: []}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]contract.Class{"mine": contract.ClassLow}, got.Images); diff != "" {
		t.Error(diff)
	}

	if diff := cmp.Diff([]contract.Rung{contract.RungStop, contract.RungRemove}, got.Act.Ladder); diff != "" {
		t.Error(diff)
	}
	if len(got.Protect.Names) != 2 || got.Protect.Labels != nil {
		t.Errorf("%+v", got.Protect)
	}
}

func TestEveryProblemIsReportedAtOnceWithItsLine(t *testing.T) {
	_, err := Parse([]byte(`version: 1
mode: enforced
tik: 10s
quota:
  low: three
  hihg: 2
  high: -1
tick: 10
images: [a, b]
warmup: 1.5
warmup: 2
rank: [cpu, ram]
protect:
caps:
  per_tick: 99999999999999999999
buckets: {ram_kb: 0, cpu_millicores: *x}
act:
  ladder: [kill, pause, remove]
`))

	var problems contract.Problems
	if !errors.As(err, &problems) {
		t.Fatalf("%v", err)
	}
	want := []struct {
		line        int
		where, hint string
	}{
		{2, "mode", "enforce"},
		{3, "tik", "did you mean tick?"},
		{5, "quota.low", "digits"},
		{6, "quota.hihg", "did you mean high?"},
		{7, "quota.high", "from 0"},
		{8, "tick", "unit"},
		{9, "images", "indent"},
		{10, "warmup", "digits"},
		{11, "warmup", "keep one"},
		{12, "rank", "order"},
		{13, "protect", "default"},
		{15, "caps.per_tick", ""},
		{16, "buckets.ram_kb", "1024"},
		{16, "buckets.cpu_millicores", "write the value"},
		{18, "act.ladder[1]", "throttle"},
	}

	for _, w := range want {
		found := false
		for _, p := range problems {
			found = found || p.Line == w.line && p.Where == w.where && strings.Contains(p.Hint, w.hint)
		}
		if !found {
			t.Errorf("no problem at %s on line %d with a hint about %q", w.where, w.line, w.hint)
		}
	}

	if len(problems) != len(want) {
		t.Errorf("%d problems, want %d:\n%v", len(problems), len(want), err)
	}
}

func TestDocumentsThatAreNoPolicy(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"empty":              {"", "version: is missing"},
		"only a comment":     {"# policy\n", "version: is missing"},
		"only its beginning": {"mode: enforce\n", "version: is missing"},
		"of another version": {"version: 3\n", "line 1: version: 3 is not supported (write version: 2)"},
		"a list":             {"- version: 1\n", "is not a policy"},
		"a word":             {"version\n", "is not a policy"},
		"two documents":      {"version: 1\n---\nversion: 1\n", "more than one document"},
		"not YAML":           {"version: 1\nquota: {low: 3\n", "is not YAML"},
		"a tab":              {"version: 1\nquota:\n\tlow: 3\n", "is not YAML"},
		"not UTF-8":          {"version: 1\nmode: \xff\n", "UTF-8"},
		"huge":               {"version: 1\n#" + strings.Repeat("x", maxBytes), "larger"},
		"an anchor":          {"version: 1\nquota: &q\n  low: 1\n", "anchors"},
		"a merge":            {"version: 1\n<<: {mode: observe}\n", "is not a key"},
	} {
		if _, err := Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

func TestLoadNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	if _, err := Load(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte("version: 1\nmod: shadow\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	_, err := Load(path)
	var problems contract.Problems
	if !errors.As(err, &problems) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "did you mean mode?") {
		t.Errorf("%v", err)
	}
}

// The file at the root says aloud what the code does without a file, and the one of version 1 what a file of that version says with
// all its keys left out.
func TestShippedPolicyIsTheDefault(t *testing.T) {
	for path, want := range map[string]Document{
		shippedPath: {V2: new(policy2.Shipped())},
		filepath.Join("testdata", "default-version-1.yaml"): {V1: new(contract.DefaultPolicy())},
	} {
		got, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (- the code, + the file):\n%s", path, diff)
		}
	}
}

// shippedPath is the policy at the repository's root.
var shippedPath = filepath.Join("..", "..", "..", "..", "policy", "policy.yaml")

// FuzzParse: no text may crash the parser, what it accepts is valid and survives being written and read again.
func FuzzParse(f *testing.F) {
	whole, err := os.ReadFile(filepath.Join("testdata", "default-version-1.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)

	for _, seed := range []string{
		"", "version: 1", "version: 1\nquota: {low: 3, high: 2}\n", "a: &x [*x]", "? a\n: b", "version: 0x1\n", "- - -\n", "version: !!int 1",
		"version: 1\nimages: {a: low, \"b\": high}\nprotect: {names: ['x'], labels: [\"k=v\"]}\n", "version: 1\nact:\n  grace: 1h\n  deadline: 2h\n", "version: |\n 1\n",
	} {
		f.Add([]byte(seed))
	}

	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := Parse(text)
		if err != nil {
			var problems contract.Problems
			if !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("an error that is no list of problems: %v", err)
			}
			return
		}
		if d.V1 == nil {
			return // FuzzParse2
		}

		if problems := d.V1.Validate(); problems != nil {
			t.Fatalf("accepted although %v", problems)
		}
		again, err := Format(d)
		if err != nil {
			t.Fatal(err)
		}

		q, err := Parse(again)
		if err != nil || q.Hash() != d.Hash() {
			t.Fatalf("%v: %s became %s through\n%s", err, d.Hash(), q.Hash(), again)
		}
	})
}

// A file that may not be read is named with what makes it readable, and to whom; other errors say what they said.
func TestAFileThatMayNotBeReadSaysWhatHelps(t *testing.T) {
	err := readable(&fs.PathError{Op: "open", Path: "/etc/gestor/host.yaml", Err: fs.ErrPermission})
	user := fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid())
	for _, want := range []string{"/etc/gestor/host.yaml", "user " + user, "chmod -R go+rX policy"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v: want %s in it", err, want)
		}
	}
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v is no permission that is missing", err)
	}
	if none := readable(fs.ErrNotExist); none != fs.ErrNotExist { //nolint:errorlint // the same one
		t.Errorf("%v", none)
	}
}
