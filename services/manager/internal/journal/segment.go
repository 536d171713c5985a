package journal

import (
	"cmp"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"gestor.local/wal"
	"gestor.local/wal/disk"
)

// Names of the files in a journal's folder.
const (
	plainSuffix  = ".ndjson"
	sealedSuffix = ".ndjson.gz"
	partSuffix   = ".part" // of files that release 0.2 was writing
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

func segmentName(first uint64) string { return wal.Names{Ext: plainSuffix}.Of(first) }

// segments lists the segments of a folder, oldest first. Where a crash left both forms of one, the sealed one counts:
// it got its name only after it was complete.
func segments(fsys disk.FS, dir string) ([]segmentFile, error) {
	names, err := fsys.List(dir)
	if err != nil {
		return nil, err
	}

	var out []segmentFile
	for _, name := range names {
		first, plain := wal.Names{Ext: plainSuffix}.First(name)
		sealed := false
		if !plain {
			first, sealed = wal.Names{Ext: sealedSuffix}.First(name)
		}
		if !plain && !sealed {
			continue
		}

		info, err := fsys.Stat(path.Join(dir, name))
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed meanwhile by the retention
			continue
		case err != nil:
			return nil, err
		}
		out = append(out, segmentFile{first, path.Join(dir, name), sealed, info.Size})
	}

	slices.SortFunc(out, func(a, b segmentFile) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(len(b.path), len(a.path)))
	})
	return slices.CompactFunc(out, func(a, b segmentFile) bool { return a.first == b.first }), nil
}

// seal compresses a segment that is no longer written to, and removes the plain one once the other is complete.
func seal(fsys disk.FS, s segmentFile) error {
	in, err := fsys.Open(s.path)
	if err != nil {
		return err
	}
	defer in.Close()

	size, err := in.Size()
	if err != nil {
		return err
	}

	target := strings.TrimSuffix(s.path, plainSuffix) + sealedSuffix
	err = disk.ReplaceFile(fsys, target, func(w io.Writer) error {
		z := gzip.NewWriter(w)
		if _, err := io.Copy(z, io.NewSectionReader(in, 0, size)); err != nil {
			return err
		}
		return z.Close()
	})
	if err != nil {
		return err
	}
	return fsys.Remove(s.path)
}

// retain deletes the oldest sealed segments until both bounds hold. The newest segment always stays.
func retain(fsys disk.FS, dir string, maxBytes int64, maxSegments int) error {
	all, err := segments(fsys, dir)
	if err != nil {
		return err
	}
	var total int64
	for _, s := range all {
		total += s.size
	}

	for len(all) > 1 && (total > maxBytes || len(all) > maxSegments) {
		if err := fsys.Remove(all[0].path); err != nil {
			return err
		}
		total -= all[0].size
		all = all[1:]
	}
	return nil
}
