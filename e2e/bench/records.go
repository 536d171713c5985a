package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// source makes the same records for every system: ticks of one host record and 50 containers, with a decision now and
// then, whose figures wander as real ones do.
type source struct {
	rng        *rand.Rand
	at         time.Time
	step       time.Duration
	tick, pseq uint64
	producer   string
	alive      []container
	pending    []string
}

type container struct {
	id, name, image, class string
	cpu, ram, vsz          int
}

// perTick is the number of records of one tick.
const perTick = 51

func newSource(seed uint64, from time.Time, step time.Duration) *source {
	s := &source{rng: rand.New(rand.NewPCG(seed, 1)), at: from, step: step, producer: fmt.Sprintf("bench-%d", seed)}
	for range perTick - 1 {
		s.alive = append(s.alive, s.born())
	}
	return s
}

func (s *source) born() container {
	image := []string{"high-cpu", "high-ram", "low-idle", "low-pulse"}[s.rng.IntN(4)]
	c := container{image: "gestor/" + image, class: strings.Split(image, "-")[0], vsz: 20_000 + s.rng.IntN(300_000)}

	for range 4 {
		c.id += fmt.Sprintf("%016x", s.rng.Uint64())
	}
	c.name = image + "-" + c.id[:8]
	c.cpu, c.ram = s.rng.IntN(500), 2000+s.rng.IntN(200_000)
	return c
}

// batch is n lines of NDJSON.
func (s *source) batch(n int) string {
	var b strings.Builder
	for range n {
		if len(s.pending) == 0 {
			s.next()
		}
		b.WriteString(s.pending[0])
		s.pending = s.pending[1:]
	}
	return b.String()
}

// next fills pending with the records of one tick.
func (s *source) next() {
	s.tick++
	ts := s.at.Format(time.RFC3339Nano)
	head := func(kind string) string {
		s.pseq++
		return fmt.Sprintf(`{"v":1,"ts":%q,"kind":%q,"host":"node1","boot":"5a7e8a0c-91d3-4f7e-b6a4-0b9f3c1d2e3f","source":"module","producer":%q,"pseq":%d,"tick":%d`,
			ts, kind, s.producer, s.pseq, s.tick)
	}

	used := 4_000_000 + s.rng.IntN(500_000)
	s.pending = append(s.pending, fmt.Sprintf(`%s,"memory":{"total_kb":24000000,"free_kb":%d,"available_kb":%d,"used_kb":%d,"shared_kb":%d},"cpus":8,"governed_ram_kb":%d,"containers":50,"timings":{"late_us":%d,"walk_us":%d,"read_us":%d,"parse_us":%d,"decide_us":%d,"act_us":0,"data_age_us":%d},"spool_records":0}`+"\n",
		head("host"), 24_000_000-used-s.rng.IntN(100_000), 24_000_000-used, used, s.rng.IntN(9000), s.rng.IntN(9_000_000),
		s.rng.IntN(900), s.rng.IntN(900), s.rng.IntN(900), s.rng.IntN(900), s.rng.IntN(90), s.rng.IntN(2000)))

	// One in 300 ends on a tick and another takes its place; the figures of the others move a little.
	for i := range s.alive {
		c := &s.alive[i]
		if s.rng.IntN(300) == 0 {
			*c = s.born()
		}
		c.cpu = max(0, c.cpu+s.rng.IntN(41)-20)
		c.ram = max(500, c.ram+s.rng.IntN(401)-200)

		s.pending = append(s.pending, fmt.Sprintf(`%s,"container":%q,"name":%q,"image":%q,"class":%q,"owned":true,"state":"running","measured":true,"cpu_millicores":%d,"ram_kb":%d,"vsz_kb":%d,"rss_kb":%d,"memory_kb":%d,"memory_permille":%d,"cpu_permille":%d,"processes":2,"threads":3,"age_us":%d,"rank":%d,"verdict":"keep","reason":"within_quota","pid":%d,"command":"stress-ng"}`+"\n",
			head("container"), c.id, c.name, c.image, c.class, c.cpu, c.ram, c.vsz, c.ram+300, c.ram+2000,
			c.ram/24_000, c.cpu, s.tick*10_000_000, i%5+1, 1000+i*7))
	}
	s.at = s.at.Add(s.step)
}
