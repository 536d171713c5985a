package profile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gestor.local/contract"
	"gestor.local/generator/internal/cadence"
)

var images = []Image{
	{Name: "high-cpu", Class: contract.ClassHigh, Memory: "96m", CPUs: "0.25", PIDs: 16},
	{Name: "high-ram", Class: contract.ClassHigh, Memory: "288m", CPUs: "0.25", PIDs: 16},
	{Name: "low-idle", Class: contract.ClassLow, Memory: "32m", CPUs: "0.25", PIDs: 16},
	{Name: "low-pulse", Class: contract.ClassLow, Memory: "32m", CPUs: "0.25", PIDs: 16},
}

func TestEveryShippedProfileIsValidAndNamedAsItsFile(t *testing.T) {
	if len(Names()) < 6 {
		t.Fatalf("only %v are shipped", Names())
	}
	for _, name := range Names() {
		p, err := Load(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if problems := p.Validate(images); problems.Err() != nil || p.Name != name || p.About == "" {
			t.Errorf("%s (%s): %v", name, p.Name, problems)
		}
	}
}

func TestTheDefaultIsTheAssignments(t *testing.T) {
	p, err := Load(Default)
	if err != nil {
		t.Fatal(err)
	}
	want := cadence.Spec{Kind: cadence.Batches, Count: 10, Every: cadence.Span(30 * time.Second)}
	if p.Arrivals != want || len(p.Mix) != 4 {
		t.Errorf("arrivals %+v of %d images", p.Arrivals, len(p.Mix))
	}
}

const good = "version: 1\nname: x\narrivals: {kind: rate, count: 1, every: 1s}\nmix: [{image: low-idle, weight: 1}]\n"

func TestParseIsStrict(t *testing.T) {
	if _, err := Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty":          "",
		"unknown key":    good + "interval: 3s\n",
		"repeated key":   good + "name: y\n",
		"two documents":  good + "---\n" + good,
		"not a duration": strings.Replace(good, "1s", "soon", 1),
		"bare number":    strings.Replace(good, "1s", "30", 1),
		"negative count": strings.Replace(good, "count: 1", "count: -1", 1),
		"not yaml":       "\t{",
	} {
		t.Run(name, func(t *testing.T) {
			if p, err := Parse([]byte(text)); err == nil {
				t.Errorf("accepted as %+v", p)
			}
		})
	}
}

func TestLoadReadsAFileByItsPathAndNamesTheShippedOnes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(path, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := Load(path); err != nil || p.Name != "x" {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := Load("nosuch"); err == nil || !strings.Contains(err.Error(), "seed") {
		t.Errorf("a wrong name is answered with %v", err)
	}
}

func TestValidateReportsEverythingAtOnce(t *testing.T) {
	p := Profile{Mix: []Share{
		{Image: "nosuch", Weight: 0, Memory: "lots", CPUs: "0.000", PIDs: -1},
		{Image: "low-idle", Lifetime: Lifetime{Kind: "often"}},
		{Image: "low-idle", Lifetime: Lifetime{Kind: Fixed, Mean: cadence.Span(time.Second)}},
		{Image: "low-idle", Lifetime: Lifetime{Kind: Uniform, From: cadence.Span(3 * time.Second), To: cadence.Span(2 * time.Second)}},
	}}
	// version, name, arrivals.kind, mix, four of the first share, then 1, 2 and 1 of the lifetimes.
	if problems := p.Validate(images); len(problems) != 12 {
		t.Errorf("want 12 problems, got %d:\n%v", len(problems), problems)
	}
}

func TestChoicesKeepToTheMixAndItsLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		low := cadence.Span(rapid.Int64Range(1, 100).Draw(t, "from") * int64(time.Second))
		high := low + cadence.Span(rapid.Int64Range(0, 100).Draw(t, "more")*int64(time.Second))
		p := Profile{Mix: []Share{
			{Image: "high-cpu", Weight: 0},
			{Image: "high-ram", Weight: 1, Memory: "200m", CPUs: "0.5", PIDs: 9, Lifetime: Lifetime{Kind: Uniform, From: low, To: high}},
			{Image: "low-idle", Weight: 3},
		}}
		seed := rapid.Uint64().Draw(t, "seed")
		counts := map[string]int{}
		for position := range uint64(2000) {
			image, lifetime := p.Choose(seed, position, images)
			counts[image.Name]++
			switch {
			case image.Name == "high-cpu":
				t.Fatal("drew an image without weight")
			case image.Name == "low-idle" && (lifetime != 0 || image.Memory != "32m"):
				t.Fatalf("low-idle got %s and %s", lifetime, image.Memory)
			case image.Name == "high-ram" && (lifetime < time.Duration(low) || lifetime > time.Duration(high) || image.Memory != "200m" || image.PIDs != 9):
				t.Fatalf("high-ram got %s and %+v", lifetime, image)
			}
		}
		// 500 expected with a standard deviation of 19.4.
		if n := counts["high-ram"]; n < 380 || n > 620 {
			t.Fatalf("%d of 2000 draws for a weight of 1 in 4", n)
		}
	})
}
