package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"gestor.local/generator/internal/plan"
	"gestor.local/generator/internal/report"
	"gestor.local/wal/disk"
)

// saveReport writes the report under the run's name and as the last one.
func (r *run) saveReport(final report.Report) error {
	text, err := json.MarshalIndent(final, "", "  ")
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}

	// The command report prints the last one; the others stay for comparisons.
	for _, name := range []string{"report-" + r.id + ".json", reportFile} {
		if err := disk.WriteFile(disk.OS{Files: 0o640}, filepath.Join(r.State, name), append(text, '\n')); err != nil {
			return fmt.Errorf("%w: write report: %w", errStorage, err)
		}
	}
	return nil
}

// readPlan reads the plan of GESTOR_PLAN.
func readPlan(path string) (plan.Plan, error) {
	f, err := os.Open(path)
	if err != nil {
		return plan.Plan{}, fmt.Errorf("%w: GESTOR_PLAN: %w", errConfig, err)
	}
	defer f.Close()

	p, err := plan.Read(f)
	if err != nil {
		return p, fmt.Errorf("%w: GESTOR_PLAN: %w", errConfig, err)
	}
	return p, nil
}

// prune deletes plans and reports of earlier runs but for the newest ones.
func prune(dir string, retain int) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}

	for _, pattern := range []string{"plan-*.ndjson", "report-*.json"} {
		paths := matching(dir, files, pattern)
		newestFirst(paths)
		for _, path := range paths[min(retain, len(paths)):] {
			err = errors.Join(err, os.Remove(path))
		}
	}
	return err
}

// matching lists the files whose name has the pattern. The folder's own name is no part of it (as it is in
// filepath.Glob): it may hold anything.
func matching(dir string, files []fs.DirEntry, pattern string) (paths []string) {
	for _, f := range files {
		if ok, _ := filepath.Match(pattern, f.Name()); ok { // the patterns are well-formed
			paths = append(paths, filepath.Join(dir, f.Name()))
		}
	}
	return paths
}

func newestFirst(paths []string) {
	// Asked once: a comparison may not change while it sorts.
	modified := map[string]fs.FileInfo{}
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			modified[path] = info
		}
	}

	age := func(path string) int64 {
		if info := modified[path]; info != nil {
			return -info.ModTime().UnixNano()
		}
		return 0
	}
	slices.SortStableFunc(paths, func(a, b string) int { return cmp.Compare(age(a), age(b)) })
}
