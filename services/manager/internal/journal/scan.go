package journal

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
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

// ScanWhere is Scan for those who look for something: lines that want says no to are counted, not parsed, which is most
// of the work. want sees the line as it was written.
func ScanWhere(path string, want func(line []byte) bool, visit func(Entry) error) (Stats, error) {
	return scan(path, reader{want: want, visit: visit})
}

// ScanBackwards is ScanWhere with the newest segment first; the entries of one segment still come oldest first.
func ScanBackwards(path string, want func(line []byte) bool, visit func(Entry) error) (Stats, error) {
	return scan(path, reader{backwards: true, want: want, visit: visit})
}

// reader is how a journal is read.
type reader struct {
	backwards bool
	want      func(line []byte) bool // nil: all
	visit     func(Entry) error
}

// ErrStop ends a scan early.
var ErrStop = errors.New("stop the scan")

func scan(path string, how reader) (Stats, error) {
	files, err := filesOf(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return Stats{}, fmt.Errorf("read journal: %w; next: name the folder of a journal or one of its files, which a manager keeps in journal/ of its GESTOR_STATE", err)
	case err != nil:
		return Stats{}, fmt.Errorf("read journal: %w", err)
	}
	if how.backwards {
		slices.Reverse(files)
	}
	var all Stats
	for _, f := range files {
		one, err := how.fileOrSealed(f)
		all.Entries += one.Entries
		all.BadLines += one.BadLines
		all.TornBytes += one.TornBytes
		var broken *damage
		switch {
		case errors.As(err, &broken):
			all.BadLines++ // at least: what follows in this segment cannot be decompressed
		case errors.Is(err, ErrStop):
			return all, nil
		case errors.Is(err, os.ErrNotExist):
			continue // deleted by the retention since it was listed
		case err != nil:
			return all, fmt.Errorf("read journal %s: %w", f, err)
		}
	}
	return all, nil
}

func filesOf(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	all, err := segments(path)
	files := make([]string, len(all))
	for i, s := range all {
		files[i] = s.path
	}
	return files, err
}

// fileOrSealed is file for one that may have been sealed since it was listed.
func (how reader) fileOrSealed(path string) (Stats, error) {
	stats, err := how.file(path)
	if plain, ok := strings.CutSuffix(path, plainSuffix); ok && errors.Is(err, os.ErrNotExist) {
		return how.file(plain + sealedSuffix)
	}
	return stats, err
}

// file reads one file, compressed or not.
func (how reader) file(path string) (Stats, error) {
	f, err := os.Open(path)
	if err != nil {
		return Stats{}, err
	}
	defer f.Close()
	if !strings.HasSuffix(path, ".gz") {
		return how.lines(f)
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return Stats{}, &damage{err}
	}
	defer z.Close()
	return how.lines(sealed{z})
}

// damage is a sealed segment that cannot be decompressed to its end. It hides itself only.
type damage struct{ error }

// sealed marks what is wrong with the compressed text, so that it is not taken for an error of the disk or of a visitor.
type sealed struct{ io.Reader }

func (s sealed) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		err = &damage{err}
	}
	return n, err
}

// lines reads entries until the end. A line that is no entry is a torn tail if nothing good follows, else damage.
func (how reader) lines(in io.Reader) (Stats, error) {
	var s Stats
	r := bufio.NewReaderSize(in, 1<<16)
	for bad := 0; ; {
		line, err := readLine(r)
		switch good, err := how.line(line); {
		case good:
			s.Entries++
			s.BadLines += bad
			s.goodBytes += s.TornBytes + int64(len(line))
			s.TornBytes, bad = 0, 0
			if err != nil {
				return s, err
			}
		case err != nil:
			return s, err
		case len(line) > 0:
			s.TornBytes += int64(len(line))
			bad++
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF): // a sealed file that was cut short
			return s, nil
		case err != nil:
			return s, err
		}
	}
}

// line visits the entry that the line holds, if it is wanted. good says that it holds one; err is the visitor's, or a
// VersionError.
func (how reader) line(line []byte) (good bool, err error) {
	if how.want != nil && bytes.HasPrefix(line, []byte(`{"v":1,`)) && bytes.HasSuffix(line, []byte("}\n")) && !how.want(line) {
		return true, nil
	}
	e, ok := decode(line)
	if !ok {
		return false, foreign(line)
	}
	return true, how.visit(e)
}

// readLine returns the next line with its newline. A line that is too long comes in pieces, none of which is an entry.
func readLine(r *bufio.Reader) (line []byte, err error) {
	for len(line) < maxLine {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
	return line, nil
}

func decode(line []byte) (Entry, bool) {
	var e Entry
	if !bytes.HasSuffix(line, []byte{'\n'}) || json.Unmarshal(line, &e) != nil {
		return e, false
	}
	return e, e.V == entryVersion && e.Seq > 0
}

// foreign is the error of a line that a later manager wrote. It is whole, and nobody must take it for damage or cut it off.
func foreign(line []byte) error {
	var head struct {
		V   int    `json:"v"`
		Seq uint64 `json:"seq"`
	}
	whole := bytes.HasSuffix(line, []byte{'\n'}) && json.Unmarshal(line, &head) == nil
	if whole && head.V > entryVersion && head.Seq > 0 {
		return &VersionError{head.V}
	}
	return nil
}
