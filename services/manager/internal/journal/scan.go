package journal

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"gestor.local/manager/internal/journal/line"
	"gestor.local/wal"
	"gestor.local/wal/disk"
)

// maxLine is far above the tick of 10,000 containers (about 20 MiB): a line beyond it is damage.
const maxLine = 256 << 20

// Stats says what a scan met.
type Stats struct {
	Entries  int
	BadLines int // lines in the middle that are no entries; the good ones after them were read
	// TornBytes is the length of what follows the last good line: a write that was cut short, or is under way.
	TornBytes int64
	goodBytes int64
}

// Scan reads the entries of a journal, oldest first. path is a journal's folder or one of its files. It may run while a
// manager writes, needs no lock and leaves the files as they are. An error of visit ends the scan and is returned;
// [ErrStop] ends it without one. A line that a later version wrote ends it with a [VersionError].
func Scan(path string, visit func(Entry) error) (Stats, error) {
	return scan(path, reader{visit: visit})
}

// ScanWhere is Scan for those who look for something, in lines of both versions: those that want says no to are counted, not parsed,
// which is most of the work. want sees the line as it was written, without its newline; nil wants all.
func ScanWhere(path string, want func(line []byte) bool, visit func(Entry) error) (Stats, error) {
	return scan(path, reader{version: version2, want: want, visit: visit})
}

// ScanBackwards is ScanWhere with the newest segment first; the entries of one segment still come oldest first.
func ScanBackwards(path string, want func(line []byte) bool, visit func(Entry) error) (Stats, error) {
	return scan(path, reader{version: version2, backwards: true, want: want, visit: visit})
}

// reader is how a journal is read.
type reader struct {
	fsys      disk.FS // nil: the operating system's, where a path may be a pipe as well
	backwards bool
	want      func(line []byte) bool // nil: all
	// wantVersion1 is want for the lines of version 1 alone.
	wantVersion1 func(line []byte) bool
	visit        func(Entry) error
	version      int // the highest that is read; 0 is version 1
}

// ErrStop ends a scan early.
var ErrStop = errors.New("stop the scan")

func scan(path string, r reader) (Stats, error) {
	r.version = version2
	files, err := filesOf(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return Stats{}, fmt.Errorf("read journal: %w; next: name the folder of a journal or one of its files, which a manager keeps in journal/ of its GESTOR_STATE", err)
	case err != nil:
		return Stats{}, fmt.Errorf("read journal: %w", err)
	}
	if r.backwards {
		slices.Reverse(files)
	}
	return r.files(files)
}

// filesOf lists the files of a journal, oldest first. path is its folder or one of them.
func filesOf(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	all, err := segments(disk.OS{}, path)
	return paths(all), err
}

func paths(all []segmentFile) []string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = s.path
	}
	return out
}

// files reads one file after the other.
func (r reader) files(paths []string) (Stats, error) {
	var all Stats
	for _, path := range paths {
		one, err := r.fileOrSealed(path)
		all.Entries += one.Entries
		all.BadLines += one.BadLines
		all.TornBytes += one.TornBytes

		var corrupt *corruptError
		switch {
		case errors.As(err, &corrupt):
			all.BadLines++ // at least: what follows in this segment cannot be decompressed

		case errors.Is(err, ErrStop):
			return all, nil
		case errors.Is(err, os.ErrNotExist):
			continue // deleted by the retention since it was listed
		case err != nil:
			return all, fmt.Errorf("read journal %s: %w", path, err)
		}
	}
	return all, nil
}

// fileOrSealed is file for one that may have been sealed since it was listed.
func (r reader) fileOrSealed(path string) (Stats, error) {
	stats, err := r.file(path)
	if stem, ok := strings.CutSuffix(path, plainSuffix); ok && errors.Is(err, os.ErrNotExist) {
		return r.file(stem + sealedSuffix)
	}
	return stats, err
}

// file reads one file, compressed or not.
func (r reader) file(path string) (Stats, error) {
	f, err := r.open(path)
	if err != nil {
		return Stats{}, err
	}
	defer f.Close()
	if !strings.HasSuffix(path, ".gz") {
		return r.lines(f)
	}

	z, err := gzip.NewReader(f)
	if err != nil {
		return Stats{}, &corruptError{err}
	}
	defer z.Close()
	return r.lines(unzipped{z})
}

func (r reader) open(path string) (io.ReadCloser, error) {
	if r.fsys == nil {
		return os.Open(path)
	}

	f, err := r.fsys.Open(path)
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err != nil {
		f.Close()
		return nil, err
	}

	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, 0, size), f}, nil
}

// corruptError is of a sealed segment that cannot be decompressed to its end. It hides itself only.
type corruptError struct{ error }

// unzipped marks what is wrong with the compressed text, so that it is not taken for an error of the disk or of a visitor.
// One that was cut short ends where it was cut.
type unzipped struct{ io.Reader }

func (u unzipped) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = io.EOF
	case err != nil && !errors.Is(err, io.EOF):
		err = &corruptError{err}
	}
	return n, err
}

// lines reads entries until the end. A line that is no entry is a torn tail if nothing good follows, else damage.
func (r reader) lines(in io.Reader) (Stats, error) {
	found, err := wal.Scan(in, maxLine, func(_ int64, line []byte, ended bool) (wal.Verdict, error) {
		if !ended {
			return wal.Bad, nil
		}
		good, err := r.line(line)
		if good {
			return wal.Good, err
		}
		return wal.Bad, err
	})
	return Stats{Entries: found.Lines, BadLines: found.BadLines, TornBytes: found.Torn(), goodBytes: found.Good}, err
}

// line visits the entry that the line holds, if it is wanted. good says that it holds one; err is the visitor's, or a
// VersionError.
func (r reader) line(text []byte) (good bool, err error) {
	if r.skips(text) {
		return true, nil
	}

	e, ok := decode(text, r.version)
	if !ok {
		return false, laterVersion(text, max(r.version, version1))
	}
	return true, r.visit(e)
}

// skips says that the line is whole by its looks, of a version that is read, and not wanted.
func (r reader) skips(text []byte) bool {
	if !bytes.HasSuffix(text, []byte("}")) {
		return false
	}

	switch {
	case bytes.HasPrefix(text, []byte(`{"v":1,`)):
		return r.want != nil && !r.want(text) || r.wantVersion1 != nil && !r.wantVersion1(text)
	case bytes.HasPrefix(text, []byte(`{"v":2,`)):
		return r.version >= version2 && r.want != nil && !r.want(text)
	default:
		return false
	}
}

// decode reads a line of a version up to the one that is read.
func decode(text []byte, version int) (e Entry, ok bool) {
	if version >= version2 && bytes.HasPrefix(text, []byte(`{"v":2,`)) {
		return decodeSealed(text)
	}
	if json.Unmarshal(text, &e) != nil {
		return e, false
	}
	return e, e.V == version1 && e.Seq > 0
}

// decodeSealed reads a line of version 2, which ends with its checksum.
func decodeSealed(text []byte) (Entry, bool) {
	var e Entry
	if !line.Sealed(text) {
		return e, false
	}

	// Nearly all lines are those of ticks. Whoever asks for what they hold reads that from the text.
	if start, ok := line.StartOf(text); ok {
		return Entry{
			V: version2, Seq: start.Seq, Since: start.Since, Facts: start.Facts, Verdict: start.Verdict, Look: start.Look, Text: text,
		}, true
	}
	if json.Unmarshal(text, &e) != nil {
		return e, false
	}
	e.Text = text
	return e, e.V == version2 && e.Seq > 0
}

// laterVersion is the error of a line that a later manager wrote. It is whole, and nobody must take it for damage or cut it off.
func laterVersion(line []byte, known int) error {
	var head struct {
		V   int    `json:"v"`
		Seq uint64 `json:"seq"`
	}
	if json.Unmarshal(line, &head) == nil && head.V > known && head.Seq > 0 {
		return &VersionError{head.V, known}
	}
	return nil
}
