package segment

import "slices"

// Estimate returns blocks that hold what is wanted and how many records stand in each, without reading any. A sealed
// segment that lies in the wanted range as a whole is one block, and its index is not loaded.
func (s *Segment) Estimate(want Selection) ([]Block, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	brief := s.brief
	switch {
	case s.gone:
		return nil, nil
	case !s.sealed:
		return slices.Concat(s.index.selected(want)...), nil
	case brief.Records == 0 || !want.covers(brief.First, brief.Last, brief.MinUS, brief.MaxUS) || !s.named.mayHave(want.Containers):
		return nil, nil
	case len(want.Containers) == 0 && want.holds(brief.First, brief.Last, brief.MinUS, brief.MaxUS):
		return []Block{{First: brief.First, Last: brief.Last, MinUS: brief.MinUS, MaxUS: brief.MaxUS, Records: brief.Records}}, nil
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
