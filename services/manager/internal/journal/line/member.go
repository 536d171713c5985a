package line

import (
	"bytes"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// member is what a file of version 1 reads of a row, as a value; the zero value is that of a container without one.
type member struct {
	is bool
	contract.Member
	memory, workingSet, memoryMax, oomKills policy2.Fact[uint64] // in place of the pointers
}

func memberOf(m *contract.Member) member {
	if m == nil {
		return member{}
	}

	out := member{
		is: true, Member: *m,
		memory: pointedTo(m.MemoryKB), workingSet: pointedTo(m.WorkingSetKB),
		memoryMax: pointedTo(m.MemoryMaxKB), oomKills: pointedTo(m.OOMKills),
	}

	out.MemoryKB, out.WorkingSetKB, out.MemoryMaxKB, out.OOMKills = nil, nil, nil, nil
	return out
}

// pointer is a copy, nil for none.
func (m *member) pointer() *contract.Member {
	if !m.is {
		return nil
	}
	out := m.Member
	out.MemoryKB, out.WorkingSetKB = pointerTo(m.memory), pointerTo(m.workingSet)
	out.MemoryMaxKB, out.OOMKills = pointerTo(m.memoryMax), pointerTo(m.oomKills)
	return &out
}

func pointedTo(p *uint64) policy2.Fact[uint64] {
	if p == nil {
		return policy2.Fact[uint64]{}
	}
	return policy2.Known(*p)
}

func pointerTo(f policy2.Fact[uint64]) *uint64 {
	if !f.Known {
		return nil
	}
	return &f.Value
}

// foresee is what foresee is for a container: it is seen once more, and is older by the interval.
func (m *member) foresee(intervalUS uint64) {
	if m.is {
		m.SeenTicks++
		m.AgeUS += intervalUS
	}
}

// begin makes a member of none: the id is its container's.
func (m *member) begin(c *rules.Container) {
	if !m.is {
		m.is, m.ID = true, c.ID
	}
}

// readMember takes over what has changed; null is none.
func (t *Table) readMember(s *slot, text []byte) error {
	if bytes.Equal(text, null) {
		s.m = member{}
		return nil
	}

	s.m.begin(&s.c)
	return eachMember(text, func(key, value []byte) error {
		_, err := t.ofMember.read(&s.m, key, value)
		return err
	})
}

// memberFields are those of what version 1 reads.
func memberFields() fields[member] {
	return newFields([]field[member]{
		plain("id", func(m *member) *string { return &m.ID }, appendText),
		plain("cgroup_id", func(m *member) *uint64 { return &m.CgroupID }, appendUint),
		plain("start_us", func(m *member) *uint64 { return &m.StartUS }, appendUint),
		plain("seen_ticks", func(m *member) *int { return &m.SeenTicks }, appendInt),
		plain("age_us", func(m *member) *uint64 { return &m.AgeUS }, appendUint),

		plain("measured", func(m *member) *bool { return &m.Measured }, appendBool),
		plain("why", func(m *member) *string { return &m.Why }, appendText),
		plain("cpu_us", func(m *member) *uint64 { return &m.CPUUS }, appendUint),
		plain("cpu_millicores", func(m *member) *uint64 { return &m.CPUMillicores }, appendUint),
		plain("ram_kb", func(m *member) *uint64 { return &m.RAMKB }, appendUint),
		plain("vsz_kb", func(m *member) *uint64 { return &m.VSZKB }, appendUint),
		plain("rss_kb", func(m *member) *uint64 { return &m.RSSKB }, appendUint),

		fact("memory_kb", func(m *member) *policy2.Fact[uint64] { return &m.memory }, appendUint),
		fact("working_set_kb", func(m *member) *policy2.Fact[uint64] { return &m.workingSet }, appendUint),
		fact("memory_max_kb", func(m *member) *policy2.Fact[uint64] { return &m.memoryMax }, appendUint),
		fact("oom_kills", func(m *member) *policy2.Fact[uint64] { return &m.oomKills }, appendUint),

		plain("frozen", func(m *member) *bool { return &m.Frozen }, appendBool),
		plain("processes", func(m *member) *int { return &m.Processes }, appendInt),
		plain("threads", func(m *member) *int { return &m.Threads }, appendInt),
	})
}
