package segment

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"gestor.local/logs/internal/line"
	"gestor.local/wal"
	"gestor.local/wal/disk"
)

// Finding is one thing that is wrong with a file.
type Finding struct {
	File string
	At   int64 // byte
	What string
	// From and To are the sequence numbers that it concerns, 0 where they are not known. Records is how many of them
	// when not all do, else 0.
	From, To uint64
	Records  int
}

func (f Finding) String() string {
	text := fmt.Sprintf("%s: byte %d: %s", f.File, f.At, f.What)
	switch {
	case f.Records > 0:
		text += fmt.Sprintf(" (%d of the records %d to %d)", f.Records, f.From, f.To)
	case f.From > 0:
		text += fmt.Sprintf(" (records %d to %d)", f.From, f.To)
	}
	return text
}

// InspectActive reads a plain file without changing it. visit is called with the number of every good record.
func InspectActive(fsys disk.FS, path string, visit func(seq uint64)) (found []Finding, err error) {
	file, err := fsys.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	size, err := file.Size()
	if err != nil {
		return nil, err
	}

	parser := line.NewParser()
	last := uint64(0)
	_, err = wal.Scan(io.NewSectionReader(file, 0, size), maxPiece, func(offset int64, b []byte, _ bool) (wal.Verdict, error) {
		var rec line.Record
		switch {
		case offset+int64(len(b)) == size:
			found = append(found, Finding{path, offset, fmt.Sprintf("the last %d bytes are no whole line", len(b)), last + 1, last + 1, 0})

		case !validLine(b, parser, &rec):
			found = append(found, Finding{path, offset, "the line does not match its checksum", last + 1, last + 1, 0})
			last++

		case rec.Seq <= last:
			found = append(found, Finding{path, offset, "the number does not rise", rec.Seq, rec.Seq, 0})

		default:
			last = rec.Seq
			visit(rec.Seq)
			return wal.Good, nil
		}
		return wal.Bad, nil
	})
	return found, err
}

// InspectSealed reads a compressed file and its index without changing them.
func InspectSealed(fsys disk.FS, dir, name string, visit func(seq uint64)) (found []Finding, err error) {
	path := dir + "/" + name + SealedExt
	raw, err := disk.ReadFile(fsys, path)
	if err != nil {
		return nil, err
	}

	x, err := readIndex(fsys, dir+"/"+name+IndexExt)
	if errors.Is(err, fs.ErrNotExist) {
		file, openErr := fsys.Open(path)
		if openErr != nil {
			return nil, openErr // retention has deleted both
		}
		file.Close()
	}

	sum := sha256.Sum256(raw)
	switch {
	case err != nil:
		found = append(found, Finding{File: dir + "/" + name + IndexExt, What: err.Error() + "; it is made again at the next start"})
		x = nil
	case x.SHA256 != hex.EncodeToString(sum[:]):
		found = append(found, Finding{File: path, What: "the file is not the one that was sealed (SHA-256)"})
	}

	var unzip unzipper
	var lines []byte
	members(raw, func(at, end int) {
		var err error
		if lines, err = unzip.block(lines[:0], raw[at:end]); err != nil {
			b := x.blockAt(int64(at))
			found = append(found, Finding{path, int64(at), err.Error(), b.First, b.Last, b.Records})
			return
		}

		for one := range bytes.Lines(lines) {
			if head, ok := line.ParseHead(bytes.TrimSuffix(one, []byte("\n"))); ok {
				visit(head.Seq)
			}
		}
	})
	return found, nil
}

// blockAt is the block at an offset, the zero block where none is known.
func (x *Index) blockAt(offset int64) Block {
	if x == nil {
		return Block{}
	}
	for _, b := range x.Blocks {
		if offset >= b.Offset && offset < b.Offset+b.Length {
			return b
		}
	}
	return Block{}
}

// members calls fn with the bounds of every gzip member. Bytes before the first are a member that cannot be read.
func members(raw []byte, fn func(at, end int)) {
	for at := 0; at < len(raw); {
		end := len(raw)
		if next := bytes.Index(raw[at+1:], memberStart); next >= 0 {
			end = at + 1 + next
		}
		fn(at, end)
		at = end
	}
}
