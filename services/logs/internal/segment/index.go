// Package segment is one file of records: appended to while it is active, compressed and never changed again once it is
// sealed.
//
//	00000000000000000001.ndjson        active: one checked line a record (package line)
//	00000000000000000001.ndjson.gz     sealed: gzip members of about 64 KiB of lines, readable with zcat
//	00000000000000000001.idx.json      of a sealed file: where what stands. Rebuilt when it is missing
//
// The number is the sequence number of the first record.
//
// An active file is in the order of arrival. A sealed one is grouped: within each MiB or so of lines those of one kind
// and container stand together, by number. A question about one container then reads few blocks, and like lines beside
// each other take half the room. Who wants the order of arrival reads the blocks whose numbers overlap together
// (Reader.Groups) and sorts.
package segment

import (
	"cmp"
	"slices"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
)

// Sizes of blocks, in bytes of lines.
const (
	// activeBlock bounds what a reader of an active file takes in around what it looks for.
	activeBlock = 256 << 10
	// sealedBlock is a gzip member: a damaged one costs some hundred records, and a container's records among 50 others
	// take one or two of a group. Twice of it would take a tenth less room, because each member starts without anything
	// to refer to, and almost twice the time to read one container.
	sealedBlock = 64 << 10
	// groupBlocks active blocks are grouped together, 1 MiB. More would read more to restore the order of arrival and,
	// with 50 containers, move the lines of one tick out of each other's reach in gzip's window of 32 KiB.
	groupBlocks = 4
)

// Index says what a segment holds. A block is found by sequence, time, kind and container.
type Index struct {
	First    uint64 `json:"first_seq"`
	Last     uint64 `json:"last_seq"`
	MinUS    int64  `json:"min_ts_us"` // Unix microseconds
	MaxUS    int64  `json:"max_ts_us"`
	SealedUS int64  `json:"sealed_us,omitempty"` // when it was sealed; 0 = not known
	// ReceivedUS is the latest receipt of its records; 0 = not known.
	ReceivedUS int64           `json:"max_received_us,omitempty"`
	Records    int             `json:"records"`
	Bytes      int64           `json:"bytes"` // of the file
	SHA256     string          `json:"sha256,omitempty"`
	Producers  []ProducerRange `json:"producers"`
	Blocks     []Block         `json:"blocks"`
	// Containers lists, for every container, the blocks that mention it as pairs of first and last number.
	Containers map[string][]int32 `json:"containers"`

	held       int // bytes in memory, about
	identities map[line.Identity]*gathered
	owner      struct { // of the record before, who mostly has the next as well
		id  line.Identity
		set *gathered
	}
}

// ProducerRange is what one producer has in a segment.
type ProducerRange struct {
	line.Identity
	Ranges Ranges `json:"pseq"`
	// Floor is the number up to which nothing is known; 0 in an index.
	Floor uint64 `json:"floor,omitempty"`
}

// Block is a run of lines.
type Block struct {
	Offset  int64  `json:"off"`
	Length  int64  `json:"len"` // bytes in the file
	First   uint64 `json:"first"`
	Last    uint64 `json:"last"`
	MinUS   int64  `json:"min"`
	MaxUS   int64  `json:"max"`
	Records int    `json:"n"`
	Kinds   uint8  `json:"kinds"` // bit KindBit of each kind in it
}

// KindBit is the bit of a kind in Block.Kinds.
func KindBit(k contract.Kind) uint8 {
	return 1 << max(slices.Index(contract.Kinds(), k), 0)
}

func newIndex() *Index {
	return &Index{Containers: map[string][]int32{}, identities: map[line.Identity]*gathered{}}
}

// recordPos is a record's number and time.
type recordPos struct {
	seq uint64
	us  int64 // Unix microseconds
}

func posOf(seq uint64, t time.Time) recordPos { return recordPos{seq, t.UnixMicro()} }

// grow notes a record at the end of an active file, whose line stands at offset with the given length.
func (x *Index) grow(rec *line.Record, offset, length int64) {
	if n := len(x.Blocks); n == 0 || x.Blocks[n-1].Length >= activeBlock {
		x.Blocks = append(x.Blocks, Block{Offset: offset})
		x.held += blockBytes
	}

	x.add(rec.Kind, rec.Container, posOf(rec.Seq, rec.Time))
	x.setOwner(rec.Identity, rec.PSeq)
	x.ReceivedUS = max(x.ReceivedUS, rec.ReceivedUS)

	b := &x.Blocks[len(x.Blocks)-1]
	b.Length = offset + length - b.Offset
	x.Bytes = offset + length
}

// add notes records of one kind and container in the last block.
func (x *Index) add(kind contract.Kind, container string, all ...recordPos) {
	last := len(x.Blocks) - 1
	b := &x.Blocks[last]
	for _, m := range all {
		if b.Records == 0 {
			b.First, b.Last, b.MinUS, b.MaxUS = m.seq, m.seq, m.us, m.us
		}
		b.First, b.Last = min(b.First, m.seq), max(b.Last, m.seq)
		b.MinUS, b.MaxUS = min(b.MinUS, m.us), max(b.MaxUS, m.us)
		b.Records++
	}

	if x.Records == 0 {
		x.First, x.Last, x.MinUS, x.MaxUS = b.First, b.Last, b.MinUS, b.MaxUS
	}
	x.First, x.Last = min(x.First, b.First), max(x.Last, b.Last)
	x.MinUS, x.MaxUS = min(x.MinUS, b.MinUS), max(x.MaxUS, b.MaxUS)
	x.Records += len(all)

	b.Kinds |= KindBit(kind)
	if container == "" {
		return
	}

	// A container is mentioned many times in a block, and listed once.
	if pairs := x.Containers[container]; len(pairs) == 0 || pairs[len(pairs)-1] != int32(last) {
		grown := addBlock(pairs, int32(last))
		x.Containers[container] = grown
		x.held += 4 * (len(grown) - len(pairs))
		if len(pairs) == 0 {
			x.held += nameBytesHeld + len(container)
		}
	}
}

// setOwner notes whose record it is.
func (x *Index) setOwner(id line.Identity, pseq uint64) {
	if x.owner.set == nil || x.owner.id != id {
		x.owner.id, x.owner.set = id, x.identities[id]
	}
	if x.owner.set == nil {
		x.owner.set = &gathered{}
		x.identities[id] = x.owner.set
		x.held += 2*nameBytesHeld + len(id.Host) + len(id.Boot) + len(id.Producer)
	}

	before := len(x.owner.set.ranges)
	x.owner.set.add(pseq)
	x.held += rangeBytes * (len(x.owner.set.ranges) - before)
}

// Bytes that parts of an index take in memory beside their texts.
const (
	blockBytes    = 72
	rangeBytes    = 16
	nameBytesHeld = 110
)

// weight is about what an index that was read takes in memory.
func (x *Index) weight() int {
	bytes := blockBytes * len(x.Blocks)
	for id, pairs := range x.Containers {
		bytes += nameBytesHeld + len(id) + 4*len(pairs)
	}

	for _, p := range x.Producers {
		bytes += 2*nameBytesHeld + len(p.Host) + len(p.Boot) + len(p.Producer) + rangeBytes*len(p.Ranges)
	}
	return bytes
}

// producers lists the identities in a fixed order.
func (x *Index) producers() []ProducerRange {
	out := make([]ProducerRange, 0, len(x.identities))
	for id, set := range x.identities {
		all := slices.Clone(set.ranges) // readers come at any time: what grows is not sorted here
		all.Sort()
		out = append(out, ProducerRange{Identity: id, Ranges: all})
	}

	slices.SortFunc(out, func(a, b ProducerRange) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Boot, b.Boot), cmp.Compare(a.Producer, b.Producer))
	})
	return out
}

// addBlock extends a list of [first, last] pairs.
func addBlock(pairs []int32, block int32) []int32 {
	if n := len(pairs); n > 0 && pairs[n-1] >= block-1 {
		pairs[n-1] = block
		return pairs
	}
	return append(pairs, block, block)
}

// Selection says which blocks a reader wants. Zero fields select all.
type Selection struct {
	Since, Until time.Time // [Since, Until)
	After        uint64    // only sequence numbers above
	Before       uint64    // only below; 0 = no bound
	Kinds        uint8
	Containers   []string // ids or prefixes
}

// covers says whether a range of times and numbers can hold what is wanted. Times in the index are truncated to
// microseconds, so the upper end is taken one wider.
func (s *Selection) covers(first, last uint64, minUS, maxUS int64) bool {
	return last > s.After && (s.Before == 0 || first < s.Before) &&
		(s.Since.IsZero() || maxUS >= s.Since.UnixMicro()) && (s.Until.IsZero() || minUS <= s.Until.UnixMicro())
}

// selected returns the blocks that may hold what is wanted, in groups: within a group the numbers overlap, from group to
// group they rise.
func (x *Index) selected(want Selection) [][]Block {
	if x.Records == 0 || !want.covers(x.First, x.Last, x.MinUS, x.MaxUS) {
		return nil
	}
	marked := x.hasContainer(want.Containers)

	var out []Block
	for i, b := range x.Blocks {
		if want.covers(b.First, b.Last, b.MinUS, b.MaxUS) && (want.Kinds == 0 || want.Kinds&b.Kinds != 0) &&
			(marked == nil || marked[i]) {
			out = append(out, b)
		}
	}
	return grouped(out)
}

func grouped(blocks []Block) (out [][]Block) {
	slices.SortFunc(blocks, func(a, b Block) int { return cmp.Compare(a.First, b.First) })

	begin, last := 0, uint64(0)
	for i, b := range blocks {
		if i > begin && b.First > last {
			out = append(out, blocks[begin:i])
			begin = i
		}
		last = max(last, b.Last)
	}

	if begin < len(blocks) {
		out = append(out, blocks[begin:])
	}
	return out
}

// hasContainer marks the blocks of the containers; nil when none is asked for.
func (x *Index) hasContainer(prefixes []string) []bool {
	if len(prefixes) == 0 {
		return nil
	}

	marks := make([]bool, len(x.Blocks))
	for id, pairs := range x.Containers {
		if !hasAnyPrefix(id, prefixes) {
			continue
		}

		for i := 0; i+1 < len(pairs); i += 2 {
			for b := pairs[i]; b <= pairs[i+1] && int(b) < len(marks); b++ {
				marks[b] = true
			}
		}
	}
	return marks
}

func hasAnyPrefix(id string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return len(id) >= len(p) && id[:len(p)] == p })
}
