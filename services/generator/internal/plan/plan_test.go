package plan

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gestor.local/contract"
	"gestor.local/generator/internal/cadence"
	"gestor.local/generator/internal/profile"
)

var update = flag.Bool("update", false, "rewrite the golden plans")

// images are those of the wrapper; launch tests that they are.
var images = []profile.Image{
	{Name: "high-cpu", Class: contract.ClassHigh, Memory: "96m", CPUs: "0.25", PIDs: 16},
	{Name: "high-ram", Class: contract.ClassHigh, Memory: "288m", CPUs: "0.25", PIDs: 16},
	{Name: "low-idle", Class: contract.ClassLow, Memory: "32m", CPUs: "0.25", PIDs: 16},
	{Name: "low-pulse", Class: contract.ClassLow, Memory: "32m", CPUs: "0.25", PIDs: 16},
}

func load(t testing.TB, name string) profile.Profile {
	t.Helper()
	p, err := profile.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func write(t testing.TB, p Plan) string {
	t.Helper()
	var text strings.Builder
	if _, err := p.WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func TestPlansAreTheGoldenOnes(t *testing.T) {
	for _, name := range profile.Names() {
		t.Run(name, func(t *testing.T) {
			p, err := Make(4711, load(t, name), images, 0, 3*time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+".ndjson")
			got := write(t, p)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("the same inputs give another plan; if that is meant, raise Version (-want +got):\n%s", diff)
			}
			again, err := Read(bytes.NewReader(want))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(p, again); diff != "" {
				t.Errorf("read back (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnotherIntervalDrawsTheSameImages(t *testing.T) {
	slow := load(t, "seed")
	fast := slow
	fast.Arrivals.Every, fast.Arrivals.Count = cadence.Span(7*time.Second), 3
	a, _ := Make(1, slow, images, 0, 10*time.Minute)
	b, _ := Make(1, fast, images, 0, 10*time.Minute)
	n := min(len(a.Starts), len(b.Starts))
	if n < 100 {
		t.Fatalf("only %d starts to compare", n)
	}
	for i := range n {
		x, y := a.Starts[i], b.Starts[i]
		x.OffsetUS, y.OffsetUS = 0, 0
		if x != y {
			t.Fatalf("position %d: %+v and %+v", i+1, x, y)
		}
	}
}

func TestWindowsJoinToTheWholePlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, err := profile.Load(rapid.SampledFrom(profile.Names()).Draw(t, "profile"))
		if err != nil {
			t.Fatal(err)
		}
		seed := rapid.Uint64().Draw(t, "seed")
		cut := time.Duration(rapid.Int64Range(0, 300e6).Draw(t, "cut")) * time.Microsecond
		whole, _ := Make(seed, p, images, 0, 5*time.Minute)
		first, _ := Make(seed, p, images, 0, cut)
		second, _ := Make(seed, p, images, cut, 5*time.Minute)
		if !slices.Equal(whole.Starts, append(first.Starts, second.Starts...)) {
			t.Fatal("the windows do not join to the whole")
		}
	})
}

func TestReadRefusesWhatWasChanged(t *testing.T) {
	p, err := Make(1, load(t, "seed"), images, 0, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	text := write(t, p)
	lines := strings.SplitAfter(text, "\n")
	for name, changed := range map[string]string{
		"empty":          "",
		"no header":      strings.Join(lines[1:], ""),
		"a line less":    strings.Join(lines[:len(lines)-2], ""),
		"a line twice":   text + lines[len(lines)-2],
		"another image":  strings.Replace(text, `"position":1,"offset_us":0,"image":"`, `"position":1,"offset_us":0,"image":"x`, 1),
		"another limit":  strings.Replace(text, `"96m"`, `"96g"`, 1),
		"unknown field":  strings.Replace(text, `"gestor_plan"`, `"more":1,"gestor_plan"`, 1),
		"later version":  strings.Replace(text, `"gestor_plan":1`, `"gestor_plan":2`, 1),
		"not ordered":    lines[0] + lines[2] + lines[1] + strings.Join(lines[3:], ""),
		"two on a line":  strings.Replace(text, "}\n{\"position\":2,", "}{\"position\":2,", 1),
		"half of a line": text[:len(text)-20],
	} {
		t.Run(name, func(t *testing.T) {
			if changed == text {
				t.Fatal("the test changed nothing")
			}
			if _, err := Read(strings.NewReader(changed)); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestTooManyStartsAreRefused(t *testing.T) {
	p := load(t, "seed")
	p.Arrivals = cadence.Spec{Kind: cadence.Batches, Count: cadence.MaxCount, Every: cadence.Span(time.Second)}
	if _, err := Make(1, p, images, 0, time.Hour); err == nil || !strings.Contains(err.Error(), "shorter") {
		t.Errorf("Make returned %v", err)
	}
}

func FuzzRead(f *testing.F) {
	p, err := Make(1, load(f, "seed"), images, 0, time.Second)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(write(f, p)))
	f.Add([]byte("{}\n{}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		again, err := Read(strings.NewReader(write(t, p)))
		if err != nil || !cmp.Equal(p, again) {
			t.Errorf("a plan that was accepted does not survive writing: %v", err)
		}
	})
}
