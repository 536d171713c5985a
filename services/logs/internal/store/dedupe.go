package store

import (
	"cmp"
	"fmt"
	"slices"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/segment"
)

// dedupe remembers every record that is stored: for each sender the ranges of its numbers. A sender that sends in order and
// loses nothing costs one range, however long it lives.
//
// What it takes in memory is bounded, and beyond the bounds no record is stored twice or taken for one that is stored: it is
// refused, and the answer says why.
//   - Of a sender with many gaps the highest ranges are known; a number below them is refused.
//   - When the names take all their room, those go first of whom no record is stored any more, the oldest first; when all of
//     them have records, another sender has to wait.
type dedupe struct {
	limits  dedupeLimits
	senders map[line.Identity]*sender
	names   int // bytes of the senders without their ranges
	ranges  int // of all senders
	last    line.Identity
	its     *sender   // of the record before, who mostly has the next as well
	over    []*sender // who may have more ranges than they should since the last commit

	swept streamSeqs // when sweep looked last: only what retention deletes makes more room
	moved uint64     // ranges that were moved to make place for another: what adding costs
}

// dedupeLimits bound a dedupe.
type dedupeLimits struct {
	names  int // bytes
	ranges int // of all senders together
	most   int // ranges of one sender
	least  int // ranges of one sender when all together have too many
}

// defaultLimits is room for some 60,000 senders of usual names and a million gaps: 40 MiB at the very most. A record costs at
// most the moving of twice 4,096 ranges, 128 KiB.
func defaultLimits() dedupeLimits {
	return dedupeLimits{names: 16 << 20, ranges: 1 << 20, most: 4096, least: 8}
}

// senderBytes is what a sender takes beside the letters of its names.
const senderBytes = 200

// sender is what is known of one identity.
type sender struct {
	numbers segment.Ranges // that are stored, all above floor
	floor   uint64         // numbers up to it may be stored or not
	seq     streamSeqs     // the last sequence number in each stream, or a higher one
}

// streamSeqs is a sequence number of each stream.
type streamSeqs [streamCount]uint64

func newDedupe() dedupe {
	return dedupe{limits: defaultLimits(), senders: map[line.Identity]*sender{}}
}

func sizeOf(id line.Identity) int {
	return senderBytes + len(id.Host) + len(id.Boot) + len(id.Producer)
}

// known returns a sender, nil when it is new.
func (d *dedupe) known(id line.Identity) *sender {
	if d.its != nil && d.last == id {
		return d.its
	}
	s := d.senders[id]
	if s != nil {
		d.last, d.its = id, s
	}
	return s
}

// of returns a sender, also a new one.
func (d *dedupe) of(id line.Identity) *sender {
	s := d.known(id)
	if s == nil {
		s = &sender{}
		d.senders[id] = s
		d.names += sizeOf(id)
		d.last, d.its = id, s
	}
	return s
}

// room says whether there is room for senders whose names take some bytes.
func (d *dedupe) room(bytes int) bool { return d.names+bytes <= d.limits.names }

// sweep forgets a quarter of the senders, the oldest first, as far as none of their records is stored any more. oldest are
// the first numbers that are.
func (d *dedupe) sweep(oldest streamSeqs) {
	if d.swept == oldest {
		return
	}
	d.swept = oldest

	var gone []line.Identity
	for id, s := range d.senders {
		if s.deleted(oldest) {
			gone = append(gone, id)
		}
	}
	slices.SortFunc(gone, func(a, b line.Identity) int {
		return cmp.Compare(d.senders[a].newest(), d.senders[b].newest())
	})
	d.drop(gone, d.limits.names-d.limits.names/4)
}

// drop forgets senders until the names take no more than some bytes.
func (d *dedupe) drop(ids []line.Identity, bytes int) (dropped int) {
	for _, id := range ids {
		if d.names <= bytes {
			break
		}
		d.names -= sizeOf(id)
		d.ranges -= len(d.senders[id].numbers)
		delete(d.senders, id)
		dropped++
	}
	d.its = nil
	return dropped
}

// deleted says that every record of the sender is before the oldest that are stored.
func (s *sender) deleted(oldest streamSeqs) bool {
	for stream, first := range oldest {
		if s.seq[stream] >= first && s.seq[stream] > 0 {
			return false
		}
	}
	return true
}

func (s *sender) newest() uint64 { return slices.Max(s.seq[:]) }

// add notes a record. It is fresh when it was not stored before; refused says why nobody can tell, or can in future.
func (d *dedupe) add(id line.Identity, pseq uint64) (fresh bool, refused string) {
	s := d.of(id)
	if pseq <= s.floor {
		return false, fmt.Sprintf("pseq %d: of this sender the numbers up to %d are not told apart any more, for it has left out "+
			"others %d times since; number without gaps", pseq, s.floor, len(s.numbers))
	}

	i := s.numbers.Find(pseq)
	if s.numbers.Joins(i, pseq) {
		before := len(s.numbers)
		fresh = s.numbers.Add(pseq)
		d.grown(s, before, i)
		return fresh, ""
	}

	n := len(s.numbers)
	if most := d.most(); i < n && (i == 0 && n >= most || n >= 2*most) {
		return false, fmt.Sprintf("pseq %d: this sender has left out numbers %d times, so that those below cannot be kept apart; "+
			"number without gaps, in rising order", pseq, n)
	}
	s.numbers.Add(pseq)
	d.grown(s, n, i)
	return true, ""
}

// grown counts what a change at place i has cost.
func (d *dedupe) grown(s *sender, before, i int) {
	n := len(s.numbers)
	d.ranges += n - before
	if n != before {
		d.moved += uint64(max(n, before) - i)
	}
	if n > d.most() && (len(d.over) == 0 || d.over[len(d.over)-1] != s) {
		d.over = append(d.over, s)
	}
}

// most is how many ranges a sender may have.
func (d *dedupe) most() int {
	if d.ranges > d.limits.ranges {
		return d.limits.least
	}
	return d.limits.most
}

// remove takes back what add has noted.
func (d *dedupe) remove(id line.Identity, pseq uint64) {
	s := d.known(id)
	if s == nil {
		return
	}
	before := len(s.numbers)
	s.numbers.Remove(pseq)
	d.ranges += len(s.numbers) - before
	if len(s.numbers) == 0 && s.floor == 0 { // it was new
		d.drop([]line.Identity{id}, 0)
	}
}

// stored notes that a record has a number in a stream.
func (d *dedupe) stored(id line.Identity, stream Stream, seq uint64) {
	if s := d.known(id); s != nil {
		s.seq[stream] = max(s.seq[stream], seq)
	}
}

// committed brings the senders within their bounds: not before their records are stored, for what is forgotten here cannot
// be taken back.
func (d *dedupe) committed() {
	for _, s := range d.over {
		d.trim(s)
	}
	clear(d.over)
	d.over = d.over[:0]
}

// trim keeps the highest ranges of a sender.
func (d *dedupe) trim(s *sender) {
	n := len(s.numbers) - d.most()
	if n <= 0 {
		return
	}
	s.floor = s.numbers[n-1][1]
	s.numbers = slices.Delete(s.numbers, 0, n)
	d.moved += uint64(len(s.numbers))
	d.ranges -= n
}

// gather notes what is read from the disk, in about the order in which it was stored: seq is the last number of the file in
// its stream. settle is to be called after it and before anything else.
func (d *dedupe) gather(p segment.ProducerRange, seq streamSeqs) {
	s := d.of(p.Identity)
	before := len(s.numbers)
	s.numbers, s.floor = append(s.numbers, p.Ranges...), max(s.floor, p.Floor)
	d.ranges += len(s.numbers) - before
	for stream := range seq {
		s.seq[stream] = max(s.seq[stream], seq[stream])
	}
	if len(s.numbers) > 4*d.limits.most {
		d.tidy(s)
	}
}

// tidy makes a set of what was gathered for a sender.
func (d *dedupe) tidy(s *sender) {
	before := len(s.numbers)
	s.numbers.Sort()
	s.numbers.Above(s.floor)
	d.ranges += len(s.numbers) - before
	d.trim(s)
}

// settle ends the gathering. It returns how many senders there was no room for: those whose records are the oldest.
func (d *dedupe) settle() (lost int) {
	for _, s := range d.senders {
		d.tidy(s)
	}
	if d.names <= d.limits.names {
		return 0
	}
	all := make([]line.Identity, 0, len(d.senders))
	for id := range d.senders {
		all = append(all, id)
	}
	slices.SortFunc(all, func(a, b line.Identity) int { return cmp.Compare(d.senders[a].newest(), d.senders[b].newest()) })
	return d.drop(all, d.limits.names)
}

// list is everything that is remembered, for identities.json.
func (d *dedupe) list() []segment.ProducerRange {
	out := make([]segment.ProducerRange, 0, len(d.senders))
	for id, s := range d.senders {
		out = append(out, segment.ProducerRange{Identity: id, Ranges: slices.Clone(s.numbers), Floor: s.floor})
	}
	return out
}
