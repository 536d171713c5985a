package segment

import "slices"

// Estimate returns blocks that hold what is wanted and how many records stand in each, without reading any. A sealed
// segment that lies in the wanted range as a whole is one block, and its index is not loaded.
func (s *Segment) Estimate(want Selection) ([]Block, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()

	summary := s.summary
	switch {
	case s.removed:
		return nil, nil
	case !s.sealed:
		return slices.Concat(s.index.selected(want)...), nil
	case summary.Records == 0 || !want.covers(summary.First, summary.Last, summary.MinUS, summary.MaxUS) || !s.filter.mayContain(want.Containers):
		return nil, nil
	case len(want.Containers) == 0 && want.holds(summary.First, summary.Last, summary.MinUS, summary.MaxUS):
		return []Block{{First: summary.First, Last: summary.Last, MinUS: summary.MinUS, MaxUS: summary.MaxUS, Records: summary.Records}}, nil
	}

	x, err := s.full()
	if err != nil {
		return nil, err
	}
	return slices.Concat(x.selected(want)...), nil
}

// holds says whether everything in a range of times and numbers is wanted.
func (s *Selection) holds(first, last uint64, minUS, maxUS int64) bool {
	return first > s.After && (s.Before == 0 || last < s.Before) &&
		(s.Since.IsZero() || minUS >= s.Since.UnixMicro()) && (s.Until.IsZero() || maxUS < s.Until.UnixMicro())
}
