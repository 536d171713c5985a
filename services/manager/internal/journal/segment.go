package journal

import (
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Names of the files in a journal's folder.
const (
	plainSuffix  = ".ndjson"
	sealedSuffix = ".ndjson.gz"
	partSuffix   = ".part"
	tornPrefix   = "torn-"
	lockName     = "LOCK"
)

// segmentFile is one segment on disk.
type segmentFile struct {
	first  uint64 // sequence of its first entry
	path   string
	sealed bool
	size   int64
}

func segmentName(first uint64) string { return fmt.Sprintf("%020d%s", first, plainSuffix) }

// segments lists the segments of a folder, oldest first. Where a crash left both forms of one, the sealed one counts:
// it got its name only after it was complete.
func segments(dir string) ([]segmentFile, error) {
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []segmentFile
	for _, n := range names {
		stem, sealed := strings.CutSuffix(n.Name(), sealedSuffix)
		if !sealed {
			stem, _ = strings.CutSuffix(n.Name(), plainSuffix)
		}
		var first uint64
		if _, err := fmt.Sscanf(stem, "%020d", &first); err != nil || segmentName(first) != stem+plainSuffix {
			continue
		}
		info, err := n.Info()
		if err != nil {
			continue // removed meanwhile by the retention
		}
		out = append(out, segmentFile{first, filepath.Join(dir, n.Name()), sealed, info.Size()})
	}
	slices.SortFunc(out, func(a, b segmentFile) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(len(b.path), len(a.path)))
	})
	return slices.CompactFunc(out, func(a, b segmentFile) bool { return a.first == b.first }), nil
}

// seal compresses a segment that is no longer written to, and removes the plain one once the other is complete.
func seal(s segmentFile) (err error) {
	in, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer in.Close()
	target := strings.TrimSuffix(s.path, plainSuffix) + sealedSuffix
	err = publish(target, func(w io.Writer) error {
		z := gzip.NewWriter(w)
		if _, err := io.Copy(z, in); err != nil {
			return err
		}
		return z.Close()
	})
	if err != nil {
		return err
	}
	return os.Remove(s.path)
}

// publish writes a file under a passing name, syncs it and renames it: it is there complete or not at all.
func publish(path string, write func(io.Writer) error) error {
	part := path + partSuffix
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = firstError(func() error { return write(f) }, f.Sync, f.Close)
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		f.Close() // a second close only says so
		os.Remove(part)
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a rename or a new file durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// retain deletes the oldest sealed segments until both bounds hold. The newest segment always stays.
func retain(dir string, maxBytes int64, maxSegments int) error {
	all, err := segments(dir)
	if err != nil {
		return err
	}
	var total int64
	for _, s := range all {
		total += s.size
	}
	for len(all) > 1 && (total > maxBytes || len(all) > maxSegments) {
		if err := os.Remove(all[0].path); err != nil {
			return err
		}
		total -= all[0].size
		all = all[1:]
	}
	return nil
}

// firstError does one step after the other and stops at the first that fails.
func firstError(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
