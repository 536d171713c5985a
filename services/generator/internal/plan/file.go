package plan

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"gestor.local/contract"
	"gestor.local/generator/internal/draw"
)

// WriteTo writes the plan as NDJSON: the header, then a line a start.
func (p Plan) WriteTo(w io.Writer) (int64, error) {
	var text bytes.Buffer
	p.lines(&text, p.Header)
	n, err := w.Write(text.Bytes())
	if err != nil {
		err = fmt.Errorf("write plan: %w", err)
	}
	return int64(n), err
}

// lines encodes a plan. Neither type has anything that JSON cannot express, so encoding into memory cannot fail.
func (p Plan) lines(w *bytes.Buffer, header Header) {
	encoder := json.NewEncoder(w)
	_ = encoder.Encode(header)
	for _, s := range p.Starts {
		_ = encoder.Encode(s)
	}
}

func (p Plan) hash() string {
	header := p.Header
	header.SHA256 = ""
	var text bytes.Buffer
	p.lines(&text, header)
	sum := sha256.Sum256(text.Bytes())
	return hex.EncodeToString(sum[:])
}

// maxLine bounds one line of a plan; the header holds a profile and the images.
const maxLine = 1 << 20

// Read reads a plan and checks it: the form, the hash, the order and the limits of every start.
func Read(r io.Reader) (Plan, error) {
	var p Plan
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)

	if !lines.Scan() {
		return p, fmt.Errorf("read plan: no header: %w", errors.Join(lines.Err(), io.ErrUnexpectedEOF))
	}
	if err := decodeStrict(lines.Bytes(), &p.Header); err != nil {
		return p, fmt.Errorf("read plan: header: %w", err)
	}
	if p.Header.Version != Version || p.Header.Algorithm != draw.Algorithm {
		return p, fmt.Errorf("read plan: version %d with %q is not this generator's (%d with %q)",
			p.Header.Version, p.Header.Algorithm, Version, draw.Algorithm)
	}

	for lines.Scan() {
		var s Start
		if err := decodeStrict(lines.Bytes(), &s); err != nil {
			return p, fmt.Errorf("read plan: line %d: %w", len(p.Starts)+2, err)
		}

		if p.Starts = append(p.Starts, s); len(p.Starts) > MaxStarts {
			return p, fmt.Errorf("read plan: %w", ErrTooLong)
		}
	}
	if err := lines.Err(); err != nil {
		return p, fmt.Errorf("read plan: %w", err)
	}

	if problems := p.check(); problems.Err() != nil {
		return p, fmt.Errorf("read plan: %w", problems)
	}
	return p, nil
}

func decodeStrict(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return errors.New("more than one value on the line")
	}
	return nil
}

// check validates what the wrapper does not: it sees one start at a time.
func (p Plan) check() contract.Problems {
	var problems contract.Problems
	if p.Header.Starts != len(p.Starts) {
		problems.Add("starts", fmt.Sprintf("the header says %d, the file has %d", p.Header.Starts, len(p.Starts)))
	}
	if p.Header.SHA256 != p.hash() {
		problems.Add("sha256", "does not fit the contents: the plan was changed after it was made")
	}

	names := map[string]bool{}
	for i, s := range p.Starts {
		where := fmt.Sprintf("start %d", i+1)
		if i > 0 && (s.Position <= p.Starts[i-1].Position || s.OffsetUS < p.Starts[i-1].OffsetUS) {
			problems.Add(where, "is out of order")
		}

		if s.OffsetUS < p.Header.FromUS || s.OffsetUS >= p.Header.ToUS {
			problems.Add(where, "is outside the window")
		}

		if names[s.Name] {
			problems.Add(where, fmt.Sprintf("has the name %q of another", s.Name))
		}
		names[s.Name] = true
	}
	return problems
}
