package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestOfFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.go")
	code := "\tx++\n"
	source := "package a\n\nfunc short() {\n" + code + "}\n\nfunc long() {\n" + strings.Repeat(code, 6) +
		"\n\t// why\n" + strings.Repeat(code, 4) + "}\n"
	if err := os.WriteFile(path, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}

	bodies, err := ofFile(path, "services/logs/a.go")
	if err != nil {
		t.Fatal(err)
	}
	if len(bodies) != 1 {
		t.Fatalf("%d bodies of ten lines or more, want 1", len(bodies))
	}
	want := body{
		module: "logs", folder: "services/logs", name: "long", position: "services/logs/a.go:7",
		lines: 12, blank: 2, longestRun: 6,
	}
	if bodies[0] != want {
		t.Errorf("%+v, want %+v", bodies[0], want)
	}
}

func TestWriteShares(t *testing.T) {
	bodies := []body{
		{module: "logs", folder: "services/logs/internal/store", lines: 30, blank: 3},
		{module: "logs", folder: "services/logs/internal/line", lines: 10, blank: 1},
		{module: "e2e", folder: "e2e/page", lines: 20, blank: 5},
		{module: "logs", folder: "services/logs/internal/store", lines: 10, blank: 1},
	}
	tests := map[string]struct {
		packages bool
		want     []string
	}{
		"modules": {want: []string{
			"module bodies lines blank or comment share",
			"e2e 1 20 5 25.0 %",
			"logs 3 50 5 10.0 %",
		}},
		"packages": {packages: true, want: []string{
			"package bodies lines blank or comment share",
			"e2e/page 1 20 5 25.0 %",
			"services/logs/internal/line 1 10 1 10.0 %",
			"services/logs/internal/store 2 40 4 10.0 %",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			writeShares(&out, bodies, test.packages)

			var got []string
			for line := range strings.Lines(out.String()) {
				got = append(got, strings.Join(strings.Fields(line), " "))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
