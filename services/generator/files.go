package main

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// prune deletes plans and reports of earlier runs but for the newest ones.
func prune(dir string, keep int) error {
	var err error
	for _, pattern := range []string{"plan-*.ndjson", "report-*.json"} {
		paths, globErr := filepath.Glob(filepath.Join(dir, pattern))
		err = errors.Join(err, globErr)
		newestFirst(paths)
		for _, path := range paths[min(keep, len(paths)):] {
			err = errors.Join(err, os.Remove(path))
		}
	}
	return err
}

func newestFirst(paths []string) {
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
