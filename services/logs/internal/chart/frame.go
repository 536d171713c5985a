package chart

import (
	"slices"
	"time"

	"gestor.local/contract"
)

// frame is one tick of one host: its host record and the container records of the same tick.
type frame struct {
	at   float64 // milliseconds since the epoch
	key  frameKey
	node string // the host's name, which outlives a boot
	host *contract.HostBody
	rows []contract.ContainerBody
}

// judged says whether the tick had a plan: host and engine were read. A blind tick has a host record too, with zeros
// where nobody looked.
func (f *frame) judged() bool { return f.host != nil && len(f.host.Classes) > 0 }

// counted says whether the tick knows who lives: it names containers, or counted them and found none.
func (f *frame) counted() bool { return len(f.rows) > 0 || f.judged() }

// frameKey tells the ticks of one host apart. A producer that does not number its ticks is told apart by time.
type frameKey struct {
	boot, producer string
	tick           uint64
	ms             int64
}

func keyOf(r contract.Record) frameKey {
	k := frameKey{boot: r.Boot, producer: r.Producer, tick: r.Tick}
	if r.Tick == 0 {
		k.ms = r.Time.UnixMilli()
	}
	return k
}

// framer groups observations into frames; hosts do not disturb each other. A frame is complete when the next one of its
// host begins.
type framer struct {
	open  map[string]*frame
	emit  func(*frame)
	delta []float64 // between the ticks of a host, for the rhythm
}

// maxDeltas is enough to know the rhythm of the ticks and bounds the memory of a long range.
const maxDeltas = 4096

func (f *framer) add(r contract.Record) {
	cur := f.open[r.Host]
	if key := keyOf(r); cur == nil || cur.key != key {
		next := &frame{at: Millis(r.Time), key: key, node: r.Host}
		if cur != nil {
			f.note(next.at - cur.at)
			f.emit(cur)
		}
		f.open[r.Host] = next
		cur = next
	}
	switch b := r.Body.(type) {
	case contract.HostBody:
		cur.host, cur.at = &b, Millis(r.Time)
	case contract.ContainerBody:
		cur.rows = append(cur.rows, b)
	}
}

func (f *framer) note(ms float64) {
	if ms > 0 && len(f.delta) < maxDeltas {
		f.delta = append(f.delta, ms)
	}
}

func (f *framer) flush() {
	hosts := make([]string, 0, len(f.open))
	for h := range f.open {
		hosts = append(hosts, h)
	}
	slices.Sort(hosts)
	for _, h := range hosts {
		f.emit(f.open[h])
	}
	clear(f.open)
}

// rhythm is the usual time between two ticks in milliseconds: the median, or the default policy's tick.
func (f *framer) rhythm() float64 {
	if len(f.delta) == 0 {
		return float64(time.Duration(contract.DefaultPolicy().Tick) / time.Millisecond)
	}
	d := slices.Clone(f.delta)
	slices.Sort(d)
	return d[len(d)/2]
}
