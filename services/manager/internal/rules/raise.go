package rules

import "slices"

// raised is the memory with every time in G that was noted since this boot began raised by as much as G was on this tick: what
// the boot clock has measured stays as long as it was. Of what is older the time counts that the host was off.
func (m *Memory) raised(f *Facts) *Memory {
	if f.RaisedUS == 0 {
		return m
	}

	began := f.BootGUS - f.RaisedUS
	raise := func(gUS *int64) {
		if *gUS != 0 && *gUS >= began {
			*gUS += f.RaisedUS
		}
	}

	next := *m
	raise(&next.GUS)
	raise(&next.ApprovedGUS)
	next.Spent = slices.Clone(m.Spent)
	for i := range next.Spent {
		raise(&next.Spent[i].GUS)
	}
	if m.Surprise != nil {
		hold := *m.Surprise
		raise(&hold.SinceGUS)
		next.Surprise = &hold
	}

	next.Containers = slices.Clone(m.Containers)
	for i := range next.Containers {
		next.Containers[i].raise(raise)
	}
	return &next
}

func (c *ContainerMemory) raise(raise func(*int64)) {
	for _, gUS := range []*int64{&c.BornGUS, &c.OwnSinceGUS, &c.Start.GUS, &c.End.GUS} {
		raise(gUS)
	}
	c.Restarts = slices.Clone(c.Restarts)
	for i := range c.Restarts {
		raise(&c.Restarts[i].GUS)
	}

	c.Rules = slices.Clone(c.Rules)
	for i := range c.Rules {
		r := &c.Rules[i]
		for _, gUS := range []*int64{&r.DoneGUS, &r.AskedGUS, &r.NoticeGUS, &r.GuardGUS, &r.PossibleGUS} {
			raise(gUS)
		}
		if r.Throttle != nil {
			limit := *r.Throttle
			raise(&limit.SetGUS)
			r.Throttle = &limit
		}
	}
}
