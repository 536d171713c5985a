package wal

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// Verdict is what a log's owner says of one line.
type Verdict uint8

// Verdicts.
const (
	Bad   Verdict = iota // no record
	Good                 // a record, in its order
	Blank                // a line that an earlier run has blanked: neither
)

// Span is where a line lies, its newline included.
type Span struct{ Offset, Length int64 }

// Check judges one line, given without its newline. ended is false for a last line that has none, and for the pieces of one
// that is too long. The bytes are valid until it returns. An error ends the scan after the line was counted.
type Check func(offset int64, line []byte, ended bool) (Verdict, error)

// Result is what a scan met.
type Result struct {
	Size  int64 // of what was read
	Good  int64 // end of the last good line; Size beyond it is a torn tail
	Ended int64 // end of the last line with a newline; Size beyond it is an unfinished line
	Lines int   // good ones
	// BadLines and BadBytes are of bad lines that a good one follows; the others may be the end of a torn write.
	BadLines int
	BadBytes int64
}

// Torn is the length of what follows the last good line.
func (r Result) Torn() int64 { return r.Size - r.Good }

// Scan reads lines in order until the end of r, its error or that of check, which is returned with what was found so far. r
// is a file, or what a sealed file decompresses to. A line longer than maxLine comes in pieces.
func Scan(r io.Reader, maxLine int, check Check) (Result, error) {
	var found Result
	pending, pendingBytes := 0, int64(0) // bad lines since the last good one

	in := bufio.NewReaderSize(r, 64<<10)
	for {
		line, readErr := readLine(in, maxLine)
		offset := found.Size
		found.Size += int64(len(line))
		if readErr != nil && !errors.Is(readErr, io.EOF) {
			return found, readErr // the rest of the line may be good
		}
		if len(line) == 0 {
			return found, nil
		}

		text, ended := bytes.CutSuffix(line, []byte{'\n'})
		if ended {
			found.Ended = found.Size
		}

		verdict, err := check(offset, text, ended)
		switch verdict {
		case Good:
			found.BadLines, found.BadBytes = found.BadLines+pending, found.BadBytes+pendingBytes
			pending, pendingBytes = 0, 0
			found.Lines, found.Good = found.Lines+1, found.Size

		case Bad:
			pending, pendingBytes = pending+1, pendingBytes+int64(len(line))

		case Blank:
			if pending == 0 {
				found.Good = found.Size
			}
		}
		if err != nil {
			return found, err
		}
	}
}

// readLine returns the next line with its newline. One that is too long, or the last one, may have none. The bytes are valid
// until the next call.
func readLine(r *bufio.Reader, maxLine int) (line []byte, err error) {
	part, err := r.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return part, err // most lines, without a copy
	}

	line = append(line, part...)
	for len(line) < maxLine {
		part, err = r.ReadSlice('\n')
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
	return line, nil
}
