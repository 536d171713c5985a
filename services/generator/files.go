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
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, pattern := range []string{"plan-*.ndjson", "report-*.json"} {
		paths := matching(dir, files, pattern)
		newestFirst(paths)
		for _, path := range paths[min(keep, len(paths)):] {
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
