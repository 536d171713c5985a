package contract

// DecodeUnchecked decodes a snapshot without judging its values.
func DecodeUnchecked(b []byte) (*Snapshot, error) {
	snap, d := decodeSnapshot(b)
	if d.err != nil {
		return nil, d.err
	}
	return snap, d.problems.Err()
}
