package segment_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/segment"
	"gestor.local/wal/disk"
)

// ticked is an active segment with ticks of 50 containers.
func ticked(b *testing.B, dir string, ticks int) *segment.Segment {
	b.Helper()
	seg, err := segment.Create(disk.OS{}, dir, 1, segment.NewCache())
	if err != nil {
		b.Fatal(err)
	}
	src := newSource()
	for tick := range ticks {
		records, lengths, text := src.batch(b, tick)
		if err := seg.Append(text); err != nil {
			b.Fatal(err)
		}
		seg.Publish(records, lengths)
	}
	return seg
}

// source makes records whose figures wander as real ones do.
type source struct {
	rng   *rand.Rand
	seq   uint64
	alive [50]struct {
		id       string
		cpu, ram int
	}
}

func newSource() *source { return &source{rng: rand.New(rand.NewPCG(1, 2))} }

// batch is the container records of one tick, numbered and as lines.
func (s *source) batch(b *testing.B, tick int) (records []*line.Record, lengths []int, lines []byte) {
	b.Helper()
	parser := line.NewParser()
	for i := range s.alive {
		s.seq++
		c := &s.alive[i]
		if c.id == "" || s.rng.IntN(300) == 0 {
			c.id = fmt.Sprintf("%016x%016x%016x%016x", s.rng.Uint64(), s.rng.Uint64(), s.rng.Uint64(), s.rng.Uint64())
			c.cpu, c.ram = s.rng.IntN(500), 2000+s.rng.IntN(200_000)
		}
		c.cpu, c.ram = max(0, c.cpu+s.rng.IntN(41)-20), max(500, c.ram+s.rng.IntN(401)-200)
		text := fmt.Sprintf(`{"v":1,"ts":%q,"kind":"container","host":"node1","boot":"5a7e8a0c-91d3-4f7e-b6a4-0b9f3c1d2e3f","source":"module",`+
			`"producer":"manager","pseq":%d,"tick":%d,"container":%q,"name":"high-cpu-%s","image":"gestor/high-cpu","class":"high",`+
			`"owned":true,"state":"running","measured":true,"cpu_millicores":%d,"ram_kb":%d,"vsz_kb":30000,"rss_kb":%d,"memory_permille":%d,`+
			`"cpu_permille":%d,"processes":2,"threads":3,"age_us":%d,"rank":%d,"verdict":"keep","reason":"within_quota","pid":%d,"command":"stress-ng"}`,
			time.Unix(1_700_000_000+int64(tick)*10, 0).UTC().Format(time.RFC3339), s.seq, tick, c.id, c.id[:8],
			c.cpu, c.ram, c.ram+300, c.ram/24_000, c.cpu, tick*10_000_000, i%5+1, 1000+i*7)
		rec := &line.Record{}
		if _, _, err := parser.Next([]byte(text), nil, rec); err != nil {
			b.Fatal(err)
		}
		rec.Seq = s.seq
		before := len(lines)
		lines = rec.AppendTo(lines, s.seq, line.Now(rec.Time))
		records, lengths = append(records, rec), append(lengths, len(lines)-before)
	}
	return records, lengths, lines
}

// BenchmarkSeal seals a file of 50,000 records.
func BenchmarkSeal(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		dir := b.TempDir()
		seg := ticked(b, dir, 1000)
		b.SetBytes(seg.Summary().Bytes)
		b.StartTimer()
		if err := seg.Seal(dir, time.Now()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(seg.Summary().Bytes)/(1<<20), "MiB")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/50_000, "ns/record")
}

// BenchmarkPublish shows the records of one tick to readers.
func BenchmarkPublish(b *testing.B) {
	seg := ticked(b, b.TempDir(), 100)
	records, lengths, _ := newSource().batch(b, 100)
	for b.Loop() {
		seg.Publish(records, lengths)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(records)), "ns/record")
}
