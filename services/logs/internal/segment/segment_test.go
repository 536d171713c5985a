package segment_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/segment"
	"gestor.local/wal/disk"
	"gestor.local/wal/disk/disktest"
)

const dir = "d"

// containers take turns in filled.
const containers = 20

// filled makes an active segment of several groups of blocks.
func filled(t *testing.T, fsys disk.FS, in string, n int) *segment.Segment {
	t.Helper()
	s, err := segment.Create(fsys, in, 1, segment.NewCache())
	if err != nil {
		t.Fatal(err)
	}
	parser := line.NewParser()
	for i := 1; i <= n; i++ {
		kind, container := "container", fmt.Sprintf(`,"container":"%012d"`, i%containers)
		if i%containers == 0 {
			kind, container = "host", ""
		}
		text := fmt.Sprintf(`{"v":1,"ts":%q,"kind":%q,"host":"h","boot":"b","producer":"p","pseq":%d%s,"command":%q}`,
			time.Unix(int64(i), 0).UTC().Format(time.RFC3339), kind, i, container, strings.Repeat("x", 400))
		var rec line.Record
		if _, _, err := parser.Next([]byte(text), nil, &rec); err != nil {
			t.Fatal(err)
		}
		rec.Seq, rec.ReceivedUS = uint64(i), time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC).UnixMicro()
		b := rec.AppendTo(nil, rec.Seq, "2026-11-23T12:00:00.000000Z")
		if err := s.Append(b); err != nil {
			t.Fatal(err)
		}
		s.Publish([]*line.Record{&rec}, []int{len(b)})
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	return s
}

// read returns the numbers of the lines in the chosen blocks that pass, in order, and how many blocks were read for them.
func read(t *testing.T, s *segment.Segment, want segment.Selection, pass func(line.Head) bool) (seqs []uint64, blocks int) {
	t.Helper()
	r, err := s.Open(want)
	if err != nil {
		t.Fatal(err)
	}
	if r == nil {
		return nil, 0
	}
	defer r.Close()
	for _, group := range r.Groups {
		var inGroup []uint64
		for _, b := range group {
			raw, err := r.Read([]byte("before"), b)
			if err != nil {
				t.Fatal(err)
			}
			raw = bytes.TrimPrefix(raw, []byte("before"))
			if n := bytes.Count(raw, []byte("\n")); n != b.Records {
				t.Errorf("block of %d records has %d lines", b.Records, n)
			}
			for one := range bytes.Lines(raw) {
				head, ok := line.ParseHead(bytes.TrimSuffix(one, []byte("\n")))
				if !ok || bytes.Contains(one, []byte(`"crc"`)) || head.Seq < b.First || head.Seq > b.Last {
					t.Errorf("in the block of %d to %d: %s", b.First, b.Last, one)
				}
				if pass(head) {
					inGroup = append(inGroup, head.Seq)
				}
			}
			blocks++
		}
		slices.Sort(inGroup)
		if n := len(seqs); n > 0 && len(inGroup) > 0 && inGroup[0] <= seqs[n-1] {
			t.Errorf("a group begins with %d after %d", inGroup[0], seqs[n-1])
		}
		seqs = append(seqs, inGroup...)
	}
	return seqs, blocks
}

// Sealing groups the lines, and every question gets the same answer as before, from fewer blocks for one container.
func TestSealedReadsLikeActive(t *testing.T) {
	mem := disktest.NewMem()
	s := filled(t, mem, dir, 5000)
	ofContainer := func(prefix string) func(line.Head) bool {
		return func(h line.Head) bool { return strings.HasPrefix(h.String("container"), prefix) }
	}
	questions := map[string]struct {
		want segment.Selection
		pass func(line.Head) bool
		most int // blocks once sealed
	}{
		"all": {segment.Selection{}, func(line.Head) bool { return true }, 50},
		"time": {
			segment.Selection{Since: time.Unix(1000, 0), Until: time.Unix(1010, 0)},
			func(h line.Head) bool { return h.Time.Unix() >= 1000 && h.Time.Unix() < 1010 }, 20,
		},
		"numbers":   {segment.Selection{After: 4500}, func(h line.Head) bool { return h.Seq > 4500 }, 15},
		"container": {segment.Selection{Containers: []string{"000000000007"}}, ofContainer("000000000007"), 6},
		"prefix":    {segment.Selection{Containers: []string{"00000000001"}}, ofContainer("00000000001"), 30},
		"nobody":    {segment.Selection{Containers: []string{"ffffffffffff"}}, ofContainer("ffffffffffff"), 0},
		"kind":      {segment.Selection{Kinds: segment.KindBit("host")}, func(h line.Head) bool { return h.String("kind") == "host" }, 6},
		"no kind":   {segment.Selection{Kinds: segment.KindBit("action")}, func(line.Head) bool { return true }, 0},
	}
	before := map[string][]uint64{}
	for name, q := range questions {
		before[name], _ = read(t, s, q.want, q.pass)
	}
	if len(before["all"]) != 5000 || len(before["container"]) != 250 || len(before["kind"]) != 250 || len(before["prefix"]) != 2500 {
		t.Fatalf("%d, %d, %d", len(before["all"]), len(before["container"]), len(before["kind"]))
	}
	if err := s.Seal("aside", time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	index := dir + "/" + segment.Name(1) + segment.IndexExt
	written, err := disk.ReadFile(mem, index)
	if err != nil {
		t.Fatal(err)
	}
	reopened, err := segment.OpenSealed(mem, dir, 1, segment.NewCache())
	if err != nil {
		t.Fatal(err)
	}
	if err := mem.Remove(index); err != nil {
		t.Fatal(err)
	}
	rebuilt, err := segment.OpenSealed(mem, dir, 1, segment.NewCache())
	if err != nil {
		t.Fatal(err)
	}
	for which, s := range map[string]*segment.Segment{"sealed": s, "reopened": reopened, "rebuilt": rebuilt} {
		for name, q := range questions {
			seqs, blocks := read(t, s, q.want, q.pass)
			if diff := cmp.Diff(before[name], seqs); diff != "" || blocks > q.most {
				t.Errorf("%s, %s: %d blocks, want at most %d; %s", which, name, blocks, q.most, diff)
			}
		}
	}
	again, err := disk.ReadFile(mem, index)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(written), string(again)); diff != "" {
		t.Errorf("the index made again differs:\n%s", diff)
	}
	if one, err := rebuilt.Producers(); err != nil || one[0].Ranges.Count() != 5000 {
		t.Errorf("producers %v, %v", one, err)
	}
}

// A bad line in the middle hides itself only, before and after sealing, and is kept aside then.
func TestBadLineHidesItselfOnly(t *testing.T) {
	in := t.TempDir()
	s := filled(t, disk.OS{}, in, 100)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := in + "/" + segment.Name(1) + segment.ActiveExt
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(path, append(b, `{"v":1,"seq":101,"to`...), 0o600); err != nil {
		t.Fatal(err)
	}
	seen := 0
	s, err = segment.Recover(disk.OS{}, in, 1, segment.NewCache(), in+"/aside", func(*line.Record) { seen++ })
	if err != nil {
		t.Fatal(err)
	}
	if bad := s.Bad(); bad.Lines != 1 || bad.Torn != 20 || seen != 99 {
		t.Errorf("%+v, %d seen", bad, seen)
	}
	if torn, err := os.ReadFile(s.Bad().Aside); err != nil || string(torn) != `{"v":1,"seq":101,"to` {
		t.Errorf("the torn tail is not kept: %q, %v", torn, err)
	}
	count := func() (n int) {
		if err := s.Each(func(*line.Record) { n++ }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(); n != 99 {
		t.Errorf("%d lines are left", n)
	}
	if err := s.Seal(in+"/aside", time.Now()); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 99 {
		t.Errorf("%d lines are left after sealing", n)
	}
	if bad, err := os.ReadFile(in + "/aside/" + segment.Name(1) + ".bad"); err != nil || bytes.Count(bad, []byte("\n")) != 1 {
		t.Errorf("the bad line is not kept: %v", err)
	}
}
