package chart

import (
	"slices"
	"time"

	"gestor.local/contract"
)

// tickFrame is one tick of one host: its host record and the container records of the same tick.
type tickFrame struct {
	at       float64 // milliseconds since the epoch
	key      frameKey
	hostName string // the host's name, which outlives a boot
	host     *contract.HostBody
	rows     []contract.ContainerBody
}

// hasPlan says whether the tick had a plan: host and engine were read. A blind tick has a host record too, with zeros
// where nobody looked.
func (f *tickFrame) hasPlan() bool { return f.host != nil && len(f.host.Classes) > 0 }

// knowsLiving says whether the tick knows who lives: it names containers, or knowsLiving them and found none.
func (f *tickFrame) knowsLiving() bool { return len(f.rows) > 0 || f.hasPlan() }

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

// tickGrouper groups observations into frames; hosts do not disturb each other. A frame is complete when the next one of its
// host begins.
type tickGrouper struct {
	open      map[string]*tickFrame
	emit      func(*tickFrame)
	intervals []float64 // between the ticks of a host, for the rhythm
}

// maxIntervals is enough to know the rhythm of the ticks and bounds the memory of a long range.
const maxIntervals = 4096

func (f *tickGrouper) add(r contract.Record) {
	cur := f.open[r.Host]
	if key := keyOf(r); cur == nil || cur.key != key {
		next := &tickFrame{at: Millis(r.Time), key: key, hostName: r.Host}
		if cur != nil {
			f.addInterval(next.at - cur.at)
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

func (f *tickGrouper) addInterval(ms float64) {
	if ms > 0 && len(f.intervals) < maxIntervals {
		f.intervals = append(f.intervals, ms)
	}
}

func (f *tickGrouper) flush() {
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

// medianInterval is the usual time between two ticks in milliseconds: the median, or the default policy's tick.
func (f *tickGrouper) medianInterval() float64 {
	if len(f.intervals) == 0 {
		return float64(time.Duration(contract.DefaultPolicy().Tick) / time.Millisecond)
	}
	d := slices.Clone(f.intervals)
	slices.Sort(d)
	return d[len(d)/2]
}
