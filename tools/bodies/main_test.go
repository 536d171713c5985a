package main

import (
	"os"
	"path/filepath"
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
	want := body{module: "logs", name: "long", position: "services/logs/a.go:7", lines: 12, blank: 2, longestRun: 6}
	if bodies[0] != want {
		t.Errorf("%+v, want %+v", bodies[0], want)
	}
}
