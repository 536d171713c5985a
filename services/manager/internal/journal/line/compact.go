package line

import (
	"encoding/binary"

	"gestor.local/manager/internal/rules"
)

// idDigits of a container's id tell it from others, as the digits of a plan's hash tell that from others.
const idDigits = 16

// appendCompact writes a plan for its hash in the second form: each field in the order of the type, a number as a varint (package binary),
// a word or a list behind its length, and what may be missing behind a 1, or 0 for nothing. A verdict begins with a byte that says which of
// its parts it has. Of containers the first digits of their ids stand for all that the plan has from the facts as it is: name, image,
// project, and the time of the start.
func appendCompact(to []byte, p *rules.Plan) []byte {
	c := compact{to}
	c.int(p.V)
	c.text = binary.AppendUvarint(c.text, p.Tick)
	c.text = binary.AppendUvarint(c.text, p.Sequence)
	c.word(p.PolicyHash)
	c.word(string(p.Mode))
	c.word(p.Held)
	c.int(p.Own)
	c.int(p.Living)
	c.int(p.Wanted)

	c.int(len(p.Rules))
	for i := range p.Rules {
		r := &p.Rules[i]
		c.word(r.Name)
		c.word(r.Hash)
		c.ints(r.SpeaksOf, r.Holds, r.Possible, r.Capped)
	}

	c.int(len(p.Groups))
	for i := range p.Groups {
		g := &p.Groups[i]
		c.int(g.Rule)
		c.word(g.Group)
		c.ints(g.Places, g.Held, g.Over, g.Young)
	}

	c.int(len(p.Verdicts))
	for i := range p.Verdicts {
		c.verdict(&p.Verdicts[i])
	}

	c.int(len(p.Notices))
	for i := range p.Notices {
		c.notice(&p.Notices[i])
	}

	c.int(len(p.GiveBack))
	for i := range p.GiveBack {
		g := &p.GiveBack[i]
		c.id(g.ID)
		c.word(g.Rule)
		c.int64(g.NanoCPUs)
		c.word(g.Why)
	}
	c.ids(p.Changed)
	return c.text
}

// compact writes values one after the other.
type compact struct{ text []byte }

// int64 writes a varint. Nearly all fit into one byte.
func (c *compact) int64(n int64) {
	const small = 64
	if n >= 0 && n < small {
		c.text = append(c.text, byte(n)<<1)
		return
	}
	c.text = binary.AppendVarint(c.text, n)
}

func (c *compact) int(n int) { c.int64(int64(n)) }

func (c *compact) ints(list ...int) {
	for _, n := range list {
		c.int64(int64(n))
	}
}

func (c *compact) word(s string) {
	c.int64(int64(len(s)))
	c.text = append(c.text, s...)
}

func (c *compact) id(id string) { c.word(id[:min(len(id), idDigits)]) }

func (c *compact) ids(list []string) {
	c.int(len(list))
	for _, id := range list {
		c.id(id)
	}
}

// is writes whether something is there.
func (c *compact) is(there bool) bool {
	if there {
		c.text = append(c.text, 1)
	} else {
		c.text = append(c.text, 0)
	}
	return there
}

// What a verdict may have beside what all have: the bits of the byte that stands before it.
const (
	hasSteps = 1 << iota
	hasDoubt
	hasPassing
	hasRead
	hasPlace
	hasGuard
	hasLimit
	hasNext
)

// partsOf says what the verdict has. Most have little.
func partsOf(v *rules.Verdict) (parts byte) {
	has := func(part byte, there bool) {
		if there {
			parts |= part
		}
	}

	has(hasSteps, v.StepIndex != 0 || v.Steps != 0)
	has(hasDoubt, len(v.Doubt) > 0)
	has(hasPassing, len(v.Passing) > 0)
	has(hasRead, len(v.Read) > 0)
	has(hasPlace, v.Rank != 0 || v.Cut != 0 || v.Group != "" || v.Neighbour != nil || v.DecidingKey != "")
	has(hasGuard, v.Guard != "" || v.By != "" || len(v.After)+len(v.Circle) > 0)
	has(hasLimit, v.NanoCPUs != 0 || v.OldNanoCPUs != nil)
	has(hasNext, v.Next != nil)
	return parts
}

func (c *compact) verdict(v *rules.Verdict) {
	parts := partsOf(v)
	c.text = append(c.text, parts)
	c.id(v.ID)
	c.word(v.Standing)
	c.int(v.Rule)
	c.word(string(v.Step))
	c.word(v.Reason)

	if parts&hasSteps != 0 {
		c.ints(v.StepIndex, v.Steps)
	}
	if parts&hasDoubt != 0 {
		c.int(len(v.Doubt))
		c.ints(v.Doubt...)
	}
	if parts&hasPassing != 0 {
		c.passing(v.Passing)
	}
	if parts&hasRead != 0 {
		c.readings(v.Read)
	}

	if parts&hasPlace != 0 {
		c.place(v)
	}
	if parts&hasGuard != 0 {
		c.word(v.Guard)
		c.id(v.By)
		c.ids(v.After)
		c.ids(v.Circle)
	}
	if parts&hasLimit != 0 {
		c.int64(v.NanoCPUs)
		c.old(v.OldNanoCPUs)
	}
	if parts&hasNext != 0 {
		c.next(v.Next)
	}
}

func (c *compact) place(v *rules.Verdict) {
	c.ints(v.Rank, v.Cut)
	c.word(v.Group)
	if n := v.Neighbour; c.is(n != nil) {
		c.id(n.ID)
		c.int(n.Rank)
	}
	c.word(v.DecidingKey)
}

func (c *compact) readings(list []rules.Reading) {
	c.int(len(list))
	for i := range list {
		r := &list[i]
		c.word(r.Key)
		c.int64(r.Value)
		c.is(r.Known)
		c.int64(r.Needs)
	}
}

func (c *compact) passing(list []rules.Passing) {
	c.int(len(list))
	for i := range list {
		p := &list[i]
		c.int(p.Rule)
		c.word(string(p.Step))
		c.word(p.Reason)
		c.ints(p.StepIndex, p.Steps)
		c.int64(p.NanoCPUs)
		c.old(p.OldNanoCPUs)
		c.word(p.Guard)
		if c.is(p.Next != nil) {
			c.next(p.Next)
		}
	}
}

func (c *compact) notice(n *rules.Notice) {
	c.word(string(n.Kind))
	c.int(n.Rule)
	c.word(n.Hash)
	c.int(n.StepIndex)
	c.word(n.Project)
	c.ids(n.Containers)
	c.word(n.Guard)
	if c.is(n.Next != nil) {
		c.next(n.Next)
	}
	c.int64(n.SinceGUS)
}

func (c *compact) old(nano *int64) {
	if c.is(nano != nil) {
		c.int64(*nano)
	}
}

func (c *compact) next(n *rules.Next) {
	c.word(string(n.Step))
	c.int64(n.GUS)
	c.int(n.Rule)
}
