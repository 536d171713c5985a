package httpapi

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/store"
)

// batch is the records of a parsed body, and what is wrong with the others.
type batch struct {
	records   []line.Record
	positions []int  // of the records in the body, from 1
	arena     []byte // of their bodies
	rejected  []contract.Rejected
	unlisted  int   // rejected beyond maxRejected
	syntax    error // the body cannot be split into records
}

// reset makes room for another body; false when what is kept would be large.
func (b *batch) reset() bool {
	clear(b.records)
	*b = batch{records: b.records[:0], positions: b.positions[:0], arena: b.arena[:0]}
	return cap(b.records) <= 2048 && cap(b.arena) <= maxPooled
}

// lineRanges are ranges of records as ranges of lines: a range ends where a rejected line stands between two records. More
// than an answer should hold are none at all, so that nobody takes a part for the whole.
func (b *batch) lineRanges(records [][2]int) (lines [][2]int) {
	for _, r := range records {
		for i := r[0]; i <= r[1]; i++ {
			n := b.positions[i]
			if last := len(lines) - 1; last >= 0 && lines[last][1] == n-1 {
				lines[last][1] = n
				continue
			}
			lines = append(lines, [2]int{n, n})
		}
	}

	if len(lines) > maxRanges {
		return nil
	}
	return lines
}

// maxRanges bounds the rows of duplicates in an answer; a sender of batches of up to twice as many records never meets it.
const maxRanges = 1000

// Bounds of the list in an answer: beyond it rejected records are counted, and a reason, which may quote the record, is
// cut.
const (
	maxRejected = 1000
	maxReason   = 200 // bytes
)

// reject notes that a record is not stored.
func (b *batch) reject(n int, reason string) {
	if len(b.rejected) >= maxRejected {
		b.unlisted++
		return
	}
	b.rejected = append(b.rejected, contract.Rejected{Line: n, Reason: truncate(reason)})
}

// addRefusals notes the records that the store refuses.
func (b *batch) addRefusals(all []store.Refusal) {
	for _, r := range all {
		b.reject(b.positions[r.Index], r.Reason)
	}
	slices.SortFunc(b.rejected, func(x, y contract.Rejected) int { return cmp.Compare(x.Line, y.Line) })
}

// truncate is a reason of at most maxReason bytes of UTF-8.
func truncate(reason string) string {
	const ellipsis = "…"
	reason = strings.ToValidUTF8(reason, "\uFFFD")
	if len(reason) <= maxReason {
		return reason
	}
	return strings.ToValidUTF8(reason[:maxReason-len(ellipsis)], "") + ellipsis // the cut may be inside a character
}

// parse reads an object, an array of objects, or objects one after the other (NDJSON).
func (b *batch) parse(parser *line.Parser, body []byte) {
	// What is guessed here saves copies while the records are parsed. Newlines alone do not count as records: a body may be
	// full of them.
	b.arena = slices.Grow(b.arena, len(body)+len(body)/8)
	b.records = slices.Grow(b.records, min(bytes.Count(body, []byte{'\n'}), len(body)/100)+1)

	rest := bytes.TrimLeft(body, space)
	array := len(rest) > 0 && rest[0] == '['
	if array {
		rest = bytes.TrimLeft(rest[1:], space)
	}
	if len(rest) == 0 {
		b.failSyntax(1, "the body is empty")
		return
	}

	for n := 1; len(rest) > 0; n++ {
		if array && rest[0] == ']' && n == 1 {
			rest = rest[1:]
			break
		}

		// Of NDJSON a line that is no record is rejected by itself; in an array nothing says where the next element begins.
		size := b.parseRecord(parser, rest, n)
		if size == 0 && array {
			b.syntax = errors.New("the array is not JSON")
			return
		}
		if size == 0 {
			rest = bytes.TrimLeft(nextLine(rest), space)
			continue
		}

		rest = bytes.TrimLeft(rest[size:], space)
		if array && !b.skipSeparator(&rest, n) {
			break
		}
	}

	if len(bytes.TrimLeft(rest, space)) > 0 && b.syntax == nil {
		b.failSyntax(len(b.records)+1, "something follows the end of the array")
	}
}

const space = " \t\r\n"

// parseRecord parses the record at the beginning of src, the nth of the body. size is 0 where no JSON object begins.
func (b *batch) parseRecord(parser *line.Parser, src []byte, n int) (size int) {
	b.records = append(b.records, line.Record{})
	rec := &b.records[len(b.records)-1]
	size, arena, err := parser.Next(src, b.arena, rec)
	b.arena = arena

	// The store adds members of its own: number, time of arrival, checksum.
	if err == nil && len(rec.Body) > contract.MaxRecordBytes-256 {
		err = fmt.Errorf("the record is larger than %d bytes", contract.MaxRecordBytes-256)
	}
	if err != nil {
		b.records = b.records[:len(b.records)-1]
		b.reject(n, err.Error())
		return size
	}

	b.positions = append(b.positions, n)
	return size
}

// failSyntax notes that the body as a whole is not readable.
func (b *batch) failSyntax(n int, reason string) {
	b.rejected = append(b.rejected, contract.Rejected{Line: n, Reason: reason}) // also when the list is full: it says why
	b.syntax = errors.New(reason)
}

// nextLine is what follows a malformed line of NDJSON.
func nextLine(rest []byte) []byte {
	end := bytes.IndexByte(rest, '\n')
	if end < 0 {
		return nil
	}
	return rest[end:]
}

// skipSeparator steps over the comma between two elements; false at the end of the array.
func (b *batch) skipSeparator(rest *[]byte, n int) bool {
	switch {
	case len(*rest) > 0 && (*rest)[0] == ',':
		*rest = bytes.TrimLeft((*rest)[1:], space)
		if len(*rest) == 0 || (*rest)[0] == ']' {
			b.failSyntax(n+1, "the array does not end")
			return false
		}
		return true

	case len(*rest) > 0 && (*rest)[0] == ']':
		*rest = (*rest)[1:]
		return false

	default:
		b.failSyntax(n, "the array does not end")
		return false
	}
}
