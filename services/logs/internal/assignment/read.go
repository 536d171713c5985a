package assignment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxElements bounds one array: decoded and made into records, an element takes some 50 times the two bytes of `{}`.
const maxElements = 20_000

// ElementError is a well-formed element that cannot be taken.
type ElementError struct {
	Element int // its place in the array, from 1
	Reason  string
}

func (e *ElementError) Error() string { return fmt.Sprintf("element %d: %s", e.Element, e.Reason) }

// ReadProcesses reads one element or an array of them: some editions send each by itself. It ends at the first element
// that cannot be taken, with an *ElementError, so that a body of many small wrong ones is never in memory as a whole.
func ReadProcesses(body []byte) ([]Process, error) {
	dec := json.NewDecoder(bytes.NewReader(body))

	array := bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte{'['})
	if array {
		if _, err := dec.Token(); err != nil {
			return nil, err
		}
	}

	var out []Process
	for n := 1; !array && n == 1 || array && dec.More(); n++ {
		if n > maxElements {
			return nil, &ElementError{n, fmt.Sprintf("there are more than %d: send smaller arrays", maxElements)}
		}

		var p Process
		if err := dec.Decode(&p); err != nil {
			return nil, err
		}

		if reason := p.missingField(); reason != "" {
			return nil, &ElementError{n, reason}
		}
		out = append(out, p)
	}

	if array {
		if _, err := dec.Token(); err != nil { // the closing bracket
			return nil, arrayError(err)
		}
	}

	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the end of the JSON")
	}
	return out, nil
}

// arrayError names the end of the body as what it is, and returns any other error.
func arrayError(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the array does not end")
	}
	return err
}

// missingField says what an element lacks, "" for nothing.
func (p Process) missingField() string {
	switch {
	case p.ContainerID == "":
		return "container_id is missing"
	case p.Name == "":
		return "name is missing"
	default:
		return ""
	}
}
