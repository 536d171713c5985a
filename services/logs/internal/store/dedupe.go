package store

import (
	"cmp"
	"fmt"
	"slices"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/segment"
)

// dedupe knows every record that is stored: for each sender the ranges of its numbers. A sender that sends in order and
// loses nothing costs one range, however long it lives.
//
// What it takes in memory is bounded, and beyond the bounds no record is stored twice or taken for one that is stored: it is
// refused, and the answer says why.
//   - Of a sender with many gaps the highest ranges are known; a number below them is refused.
//   - When the names take all their room, those go first of whom no record is stored any more, the oldest first; when all of
//     them have records, another sender has to wait.
type dedupe struct {
	limits     dedupeLimits
	senders    map[line.Identity]*sender
	names      int // bytes of the senders without their ranges
	ranges     int // of all senders
	last       line.Identity
	lastSender *sender   // of the record before, who mostly has the next as well
	over       []*sender // who may have more ranges than they should since the last commit

	lastOldest streamSeqs // as evictDeleted saw it last: only what retention deletes makes more room
	moved      uint64     // ranges that were moved to make place for another: what adding costs
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
	if d.lastSender != nil && d.last == id {
		return d.lastSender
	}
	s := d.senders[id]
	if s != nil {
		d.last, d.lastSender = id, s
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
		d.last, d.lastSender = id, s
	}
	return s
}

// hasSpace says whether there is room for senders whose names take some bytes.
func (d *dedupe) hasSpace(bytes int) bool { return d.names+bytes <= d.limits.names }

// evictDeleted removes a quarter of the senders, the oldest first, as far as none of their records is stored any more.
// oldest are the first numbers that are.
func (d *dedupe) evictDeleted(oldest streamSeqs) {
	if d.lastOldest == oldest {
		return
	}
	d.lastOldest = oldest

	var gone []line.Identity
	for id, s := range d.senders {
		if s.deleted(oldest) {
			gone = append(gone, id)
		}
	}

	// A quarter at once: doing it again is for nothing until retention has deleted more.
	slices.SortFunc(gone, func(a, b line.Identity) int {
		return cmp.Compare(d.senders[a].newest(), d.senders[b].newest())
	})
	d.evict(gone, d.limits.names-d.limits.names/4)
}

// evict removes senders until the names take no more than some bytes.
func (d *dedupe) evict(ids []line.Identity, bytes int) (dropped int) {
	for _, id := range ids {
		if d.names <= bytes {
			break
		}

		d.names -= sizeOf(id)
		d.ranges -= len(d.senders[id].numbers)
		delete(d.senders, id)
		dropped++
	}
	d.lastSender = nil
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

// add adds a record. It is new when it was not stored before; refused says why nobody can tell, or can in future.
func (d *dedupe) add(id line.Identity, pseq uint64) (isNew bool, refused string) {
	s := d.of(id)
	if pseq <= s.floor {
		return false, fmt.Sprintf("pseq %d: of this sender the numbers up to %d are not told apart any more, for it has left out "+
			"others %d times since; number without gaps", pseq, s.floor, len(s.numbers))
	}

	i := s.numbers.Find(pseq)
	if s.numbers.Joins(i, pseq) {
		before := len(s.numbers)
		isNew = s.numbers.Add(pseq)
		d.countChange(s, before, i)
		return isNew, ""
	}

	n := len(s.numbers)
	if most := d.maxRanges(); i < n && (i == 0 && n >= most || n >= 2*most) {
		return false, fmt.Sprintf("pseq %d: this sender has left out numbers %d times, so that those below cannot be kept apart; "+
			"number without gaps, in rising order", pseq, n)
	}
	s.numbers.Add(pseq)
	d.countChange(s, n, i)
	return true, ""
}

// countChange counts what a change at place i has cost.
func (d *dedupe) countChange(s *sender, before, i int) {
	n := len(s.numbers)
	d.ranges += n - before
	if n != before {
		d.moved += uint64(max(n, before) - i)
	}
	if n > d.maxRanges() && (len(d.over) == 0 || d.over[len(d.over)-1] != s) {
		d.over = append(d.over, s)
	}
}

// maxRanges is how many ranges a sender may have.
func (d *dedupe) maxRanges() int {
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
		d.evict([]line.Identity{id}, 0)
	}
}

// stored records that a record has a number in a stream.
func (d *dedupe) stored(id line.Identity, stream Stream, seq uint64) {
	if s := d.known(id); s != nil {
		s.seq[stream] = max(s.seq[stream], seq)
	}
}

// committed brings the senders within their bounds: not before their records are stored, for what is dropped here cannot be
// taken back.
func (d *dedupe) committed() {
	for _, s := range d.over {
		d.trim(s)
	}
	clear(d.over)
	d.over = d.over[:0]
}

// trim keeps the highest ranges of a sender.
func (d *dedupe) trim(s *sender) {
	n := len(s.numbers) - d.maxRanges()
	if n <= 0 {
		return
	}
	s.floor = s.numbers[n-1][1]
	s.numbers = slices.Delete(s.numbers, 0, n)
	d.moved += uint64(len(s.numbers))
	d.ranges -= n
}

// addUnsorted adds what is read from the disk, in about the order in which it was stored: seq is the last number of the
// file in its stream. sort is to be called after it and before anything else.
func (d *dedupe) addUnsorted(p segment.ProducerRange, seq streamSeqs) {
	s := d.of(p.Identity)
	before := len(s.numbers)
	s.numbers, s.floor = append(s.numbers, p.Ranges...), max(s.floor, p.Floor)
	d.ranges += len(s.numbers) - before
	for stream := range seq {
		s.seq[stream] = max(s.seq[stream], seq[stream])
	}

	// Now and then, so that what overlaps does not add up in memory.
	if len(s.numbers) > 4*d.limits.most {
		d.normalize(s)
	}
}

// normalize makes a set of what was added for a sender.
func (d *dedupe) normalize(s *sender) {
	before := len(s.numbers)
	s.numbers.Sort()
	s.numbers.Above(s.floor)
	d.ranges += len(s.numbers) - before
	d.trim(s)
}

// sort ends the adding of unsorted ones. It returns how many senders there was no room for: those whose records are the
// oldest.
func (d *dedupe) sort() (lost int) {
	for _, s := range d.senders {
		d.normalize(s)
	}
	if d.names <= d.limits.names {
		return 0
	}

	all := make([]line.Identity, 0, len(d.senders))
	for id := range d.senders {
		all = append(all, id)
	}
	slices.SortFunc(all, func(a, b line.Identity) int { return cmp.Compare(d.senders[a].newest(), d.senders[b].newest()) })
	return d.evict(all, d.limits.names)
}

// list is everything that is known, for identities.json.
func (d *dedupe) list() []segment.ProducerRange {
	out := make([]segment.ProducerRange, 0, len(d.senders))
	for id, s := range d.senders {
		out = append(out, segment.ProducerRange{Identity: id, Ranges: slices.Clone(s.numbers), Floor: s.floor})
	}
	return out
}
