package oracle

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Nothing but tests imports the oracle: what the product does must come from the rules.
func TestOnlyTestsImportTheOracle(t *testing.T) {
	const oracle = "gestor.local/manager/internal/rules/oracle"
	services := filepath.Join("..", "..", "..", "..")
	own := filepath.Join(services, "manager", "internal", "rules", "oracle")
	product, byTests := 0, 0

	err := filepath.WalkDir(services, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path == own:
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}

		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		isTest := strings.HasSuffix(path, "_test.go")
		if !isTest {
			product++
		}
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil || name != oracle && !strings.HasPrefix(name, oracle+"/") {
				continue
			}
			if !isTest {
				t.Errorf("%s imports %s, which is for tests (decide by gestor.local/manager/internal/rules)", path, name)
			}
			byTests++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	// A walk that found nothing would not fail.
	if product < 100 || byTests == 0 {
		t.Errorf("%d files of the product were read, %d imports found", product, byTests)
	}
}
