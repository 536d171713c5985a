package contract

// DecodeUnchecked decodes a snapshot without checking its values.
func DecodeUnchecked(b []byte) (*Snapshot, error) {
	snap, d := decodeSnapshot(b)
	if d.err != nil {
		return nil, d.err
	}
	return snap, d.problems.Err()
}

// CheckText reads any one JSON value, without a schema.
func CheckText(b []byte) error {
	s := newScanner(b)
	s.skip()
	s.finish()
	return s.err
}
