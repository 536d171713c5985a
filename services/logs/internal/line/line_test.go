package line

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gestor.local/contract"
)

func sample(t testing.TB) []byte {
	t.Helper()
	kb := uint64(20480)
	r := contract.NewRecord(time.Date(2026, 11, 23, 11, 40, 2, 0, time.UTC), 310, contract.SourceProcfs, contract.ContainerBody{
		Subject: contract.Subject{
			Container: strings.Repeat("71fa559c210d", 5) + "abcd", Name: "high-cpu-3", Image: "gestor/high-cpu", Class: contract.ClassHigh,
		},
		Owned: true, State: "running", Measured: true, MemoryKB: &kb, Processes: 2, Threads: 4, AgeUS: 20_000_000,
		Measures: contract.Measures{CPUMillicores: 498, RAMKB: 10240, VSZKB: 65536, RSSKB: 12288}, Command: "stress-ng",
	})
	r.Host, r.Boot, r.Producer, r.PSeq = "node1", "5a7e", contract.ProducerManager, 991
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestStoredLineReadsBack(t *testing.T) {
	p := NewParser()
	var rec Record
	n, _, err := p.Next(sample(t), nil, &rec)
	if err != nil || n != len(sample(t)) {
		t.Fatalf("n %d, %v", n, err)
	}
	stored := rec.AppendTo(nil, 4711, Now(time.Unix(1, 0)))
	stored = bytes.TrimSuffix(stored, []byte("\n"))
	if !Check(stored) {
		t.Fatalf("checksum of %s", stored)
	}
	plain := Strip(bytes.Clone(stored))
	var got contract.Record
	if err := json.Unmarshal(plain, &got); err != nil {
		t.Fatalf("%v in %s", err, plain)
	}
	if got.Seq != 4711 || got.PSeq != 991 || got.Body.(contract.ContainerBody).RAMKB != 10240 {
		t.Errorf("got %+v", got)
	}
	head, ok := ParseHead(plain)
	if !ok || head.Seq != 4711 || head.String("image") != "gestor/high-cpu" || head.Uint("tick") != 310 {
		t.Errorf("head %+v of %s", head, plain)
	}
	var again Record
	if _, _, err := p.Next(stored, nil, &again); err != nil || !bytes.Equal(again.Body, rec.Body) || again.Seq != 4711 {
		t.Errorf("parsing the stored line: %v\n%s\n%s", err, again.Body, rec.Body)
	}
	if rec.Figures != [Figures]uint64{498, 10240, 65536, 12288, 0, 2, 4} || !rec.Measured {
		t.Errorf("figures %v", rec.Figures)
	}
}

func TestCheckSeesEveryFlippedBit(t *testing.T) {
	p := NewParser()
	var rec Record
	if _, _, err := p.Next(sample(t), nil, &rec); err != nil {
		t.Fatal(err)
	}
	stored := bytes.TrimSuffix(rec.AppendTo(nil, 1, "2026-11-23T11:40:02.000000Z"), []byte("\n"))
	for i := range stored {
		for bit := range 8 {
			stored[i] ^= 1 << bit
			if Check(stored) {
				t.Fatalf("bit %d of byte %d flipped and not seen", bit, i)
			}
			stored[i] ^= 1 << bit
		}
	}
}

const system = `{"v":1,"ts":"2026-01-02T03:04:05Z","kind":"system","host":"h","boot":"b","producer":"p","pseq":1,"event":"start","level":"info","message":"m"`

const (
	container = `{"v":1,"ts":"2026-01-02T03:04:05Z","kind":"container","host":"h","boot":"b","producer":"p","pseq":1,"container":"c",`
	host      = `{"v":1,"ts":"2026-01-02T03:04:05Z","kind":"host","host":"h","boot":"b","producer":"p","pseq":1,`
)

func TestNextRefuses(t *testing.T) {
	for name, c := range map[string]struct{ json, want string }{
		"not an object":     {`[1]`, "not a JSON object"},
		"empty":             {``, "not a JSON object"},
		"cut":               {system, "not JSON"},
		"duplicate key":     {system + `,"host":"x"}`, "host: is given twice"},
		"duplicate unknown": {system + `,"x":1,"x":2}`, "x: is given twice"},
		"escaped duplicate": {system + `,"h\u006fst":"x"}`, "host: is given twice"},
		"other case":        {system + `,"Host":"x"}`, "Host: is written host"},
		"kelvin sign":       {system + `,"` + "\u212a" + `ind":"x"}`, "is written kind"},
		"null":              {strings.Replace(system, `"h"`, `null`, 1) + `}`, "host: is null; leave the field out"},
		"wrong type":        {strings.Replace(system, `"h"`, `7`, 1) + `}`, "host: is not a string"},
		"pseq negative":     {strings.Replace(system, `"pseq":1`, `"pseq":-1`, 1) + `}`, "pseq: is not a whole number"},
		"pseq fraction":     {strings.Replace(system, `"pseq":1`, `"pseq":1.5`, 1) + `}`, "pseq: is not a whole number"},
		"pseq too large":    {strings.Replace(system, `"pseq":1`, `"pseq":99999999999999999999`, 1) + `}`, "pseq: is not"},
		"figure too large":  {container + `"ram_kb":9007199254740992}`, "ram_kb: is beyond 9007199254740991"},
		"figure of 64 bits": {container + `"cpu_millicores":9223372036854775808}`, "cpu_millicores: is beyond"},
		"count too large":   {container + `"processes":9007199254740992}`, "processes: is beyond"},
		"count too small":   {container + `"pid":-9007199254740992}`, "pid: is beyond"},
		"lowest count":      {container + `"pid":-9223372036854775808}`, "pid: is beyond"},
		"nested figure":     {host + `"memory":{"total_kb":18446744073709551615}}`, "memory.total_kb: is beyond"},
		"figure in a list":  {host + `"classes":[{"quota":1},{"quota":9007199254740992}]}`, "classes.[].quota: is beyond"},
		"invalid UTF-8":     {system + `,"x":"` + "\xff" + `"}`, "x: is not UTF-8"},
		"half a surrogate":  {system + `,"x":"\ud800"}`, "half a surrogate"},
		"control byte":      {system + `,"x":"` + "\n" + `"}`, "control byte"},
		"too deep":          {system + `,"x":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `}`, "nested more than"},
		"unknown kind":      {strings.Replace(system, "system", "nonsense", 1) + `}`, "kind: missing or unknown"},
		"no time":           {strings.Replace(system, "2026-01", "2026-13", 1) + `}`, "ts: missing or not"},
		"version":           {strings.Replace(system, `"v":1`, `"v":2`, 1) + `}`, "v: missing or not supported"},
		"no event":          {strings.Replace(system, `"start"`, `""`, 1) + `}`, "event: missing"},
		"leading zero":      {system + `,"x":01}`, "malformed number"},
		"bare word":         {system + `,"x":nul}`, "not JSON"},
		"trailing comma":    {system + `,}`, "field name"},
		"beyond any float":  {system + `,"details":{"x":1e999}}`, "out of range"},
		"beyond in digits":  {system + `,"x":` + strings.Repeat("9", 400) + `}`, "out of range"},
		"year 10000 in UTC": {strings.Replace(system, "2026-01-02T03:04:05Z", "9999-12-31T23:59:59-12:00", 1) + `}`, "ts: missing or not"},
		"year -1 in UTC":    {strings.Replace(system, "2026-01-02T03:04:05Z", "0000-01-01T00:00:00+12:00", 1) + `}`, "ts: missing or not"},
		"long container":    {system + `,"container":"` + strings.Repeat("a", 257) + `"}`, "container: longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			var rec Record
			_, _, err := NewParser().Next([]byte(c.json), nil, &rec)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// What a parser keeps for the next record is small, also after records that were refused.
func TestParserInternsShortWords(t *testing.T) {
	p := NewParser()
	for i := range 10 {
		var rec Record
		text := strings.Replace(system, `"h"`, fmt.Sprintf(`"%d%s"`, i, strings.Repeat("x", 1<<20)), 1) + `}`
		if _, _, err := p.Next([]byte(text), nil, &rec); err == nil {
			t.Fatal("a host of a MiB was taken")
		}
	}
	kept := 0
	for _, w := range p.last {
		kept += len(w)
	}
	for raw, w := range p.interned {
		kept += len(raw) + len(w)
	}
	if kept > 10<<10 {
		t.Errorf("%d bytes are kept", kept)
	}
}

func TestNextAcceptsWhatProducersMayWrite(t *testing.T) {
	for name, c := range map[string]string{
		"late kind":        `{"details":{"kind":"host","list":[ 1 , {"a":null} ]}, ` + strings.TrimPrefix(system, `{`) + `}`,
		"pretty":           strings.ReplaceAll(system, ",", ",\n\t") + "\n}",
		"escaped key":      strings.Replace(system, `"event"`, `"ev\u0065nt"`, 1) + `}`,
		"unknown fields":   system + `,"later":{"a":[true,false,-1.5e+3,"\ud83d\ude00"]}}`,
		"large figures":    container + `"ram_kb":9007199254740991,"pid":-9007199254740991}`,
		"large numbers":    strings.Replace(system, `"pseq":1`, `"pseq":18446744073709551615,"tick":18446744073709551615`, 1) + `}`,
		"what we assigned": system + `,"seq":9,"received":"2026-01-02T03:04:05Z","crc":"00000000"}`,
	} {
		t.Run(name, func(t *testing.T) {
			var rec Record
			n, _, err := NewParser().Next([]byte(c), nil, &rec)
			if err != nil || n != len(c) {
				t.Fatalf("n %d of %d, %v", n, len(c), err)
			}
			stored := bytes.TrimSuffix(rec.AppendTo(nil, 3, "2026-11-23T11:40:02.000000Z"), []byte("\n"))
			if bytes.ContainsAny(stored, "\n\t") || bytes.Count(stored, []byte(`"seq":`)) != 1 {
				t.Errorf("stored as %s", stored)
			}
			var got contract.Record
			if err := json.Unmarshal(stored, &got); err != nil || got.Validate() != nil {
				t.Errorf("%v %v: %s", err, got.Validate(), stored)
			}
		})
	}
}

func TestNamesAreStoredOneWay(t *testing.T) {
	text := strings.Replace(system, `"system"`, `"cont\u0061iner"`, 1) + `,"container":"\u0061bcd","name":"\u003c\/script>"}`
	var rec Record
	if _, _, err := NewParser().Next([]byte(text), nil, &rec); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"kind":"container"`, `"container":"abcd"`, `"name":"\u003c/script\u003e"`} {
		if !bytes.Contains(rec.Body, []byte(want)) {
			t.Errorf("%s is not in %s", want, rec.Body)
		}
	}
}

// A record of a kind without containers that names one all the same is indexed by it, as the search reads it.
func TestAnyKindMayNameAContainer(t *testing.T) {
	for text, want := range map[string]string{`"\u0061bcd"`: "abcd", `"abcd"`: "abcd", `7`: "", `["abcd"]`: "", `{"container":"x"}`: ""} {
		var rec Record
		if _, _, err := NewParser().Next([]byte(system+`,"container":`+text+`}`), nil, &rec); err != nil {
			t.Fatal(err)
		}
		if rec.Container != want || want != "" && !bytes.Contains(rec.Body, []byte(`"container":"`+want+`"`)) {
			t.Errorf("%s: %q, %s", text, rec.Container, rec.Body)
		}
	}
}

func TestKeySetHasABitForEveryField(t *testing.T) {
	for kind, s := range newSchemas() {
		if len(s.fields) > 64 {
			t.Errorf("%s has %d fields; keySet.known holds 64", kind, len(s.fields))
		}
		if len(s.order) != len(s.fields) {
			t.Errorf("%s has two fields of one name", kind)
		}
	}
}

// Whatever Next accepts, encoding/json reads as a valid record, before and after storing.
func FuzzNext(f *testing.F) {
	f.Add(sample(f))
	f.Add([]byte(system + `,"details":{"a":[1,2,{"b":"\u00e9"}]}}`))
	f.Add([]byte(system + `,"details":{"a":1e999}}`))
	f.Add([]byte(system + `,"details":{"a":` + strings.Repeat("9", 400) + `}}`))
	for _, ts := range []string{"9999-12-31T23:59:59-12:00", "0000-01-01T00:00:00+12:00", "0001-01-01T00:00:00.5+00:01"} {
		f.Add([]byte(strings.Replace(system, "2026-01-02T03:04:05Z", ts, 1) + "}"))
	}
	p := NewParser()
	f.Fuzz(func(t *testing.T, b []byte) {
		var rec Record
		n, _, err := p.Next(b, nil, &rec)
		if err != nil {
			return
		}
		for _, text := range [][]byte{b[:n], bytes.TrimSuffix(rec.AppendTo(nil, 1, "2026-11-23T11:40:02.000000Z"), []byte("\n"))} {
			var got contract.Record
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatalf("%v: %q", err, text)
			}
			if problems := got.Validate(); problems != nil {
				t.Fatalf("%v: %q", problems, text)
			}
			if got.Host != rec.Identity.Host || got.PSeq != rec.PSeq || !got.Time.Equal(rec.Time) || got.Kind != rec.Kind {
				t.Fatalf("read as %+v, parsed as %+v: %q", got, rec, text)
			}
		}
		stored := rec.AppendTo(nil, 7, "2026-11-23T11:40:02.000000Z")
		stored = stored[:len(stored)-1]
		for _, text := range [][]byte{stored, Strip(bytes.Clone(stored))} {
			var back Record
			if !p.ParseStored(text, &back) {
				t.Fatalf("not read back: %q", text)
			}
			want := rec
			want.Seq, want.Time, want.ReceivedUS = 7, want.Time.UTC(), 1795434002000000
			back.Time = back.Time.UTC()
			if diff := cmp.Diff(want, back); diff != "" {
				t.Fatalf("read back otherwise: %s: %q", diff, text)
			}
		}
		if !utf8Line(rec.Body) {
			t.Fatalf("body %q", rec.Body)
		}
		if diff := cmp.Diff(content(t, b[:n]), content(t, []byte("{"+string(rec.Body)+"}"))); diff != "" {
			t.Fatalf("stored otherwise: %s: %q", diff, b[:n])
		}
	})
}

// content is what a record says, less the fields that the service writes itself.
func content(t *testing.T, text []byte) (fields map[string]any) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&fields); err != nil {
		t.Fatalf("%v: %q", err, text)
	}
	for _, own := range []string{"v", "seq", "ts", "received", "crc"} {
		delete(fields, own)
	}
	return fields
}

func utf8Line(b []byte) bool {
	return !bytes.ContainsRune(b, '\n') && bytes.Equal(bytes.ToValidUTF8(b, nil), b)
}

// A line that is not one of ours is refused, whatever it is.
func TestParseStoredRefuses(t *testing.T) {
	var rec Record
	if _, _, err := NewParser().Next([]byte(system+"}"), nil, &rec); err != nil {
		t.Fatal(err)
	}
	good := string(rec.AppendTo(nil, 7, "2026-11-23T11:40:02.000000Z"))
	if !NewParser().ParseStored([]byte(good[:len(good)-1]), &rec) {
		t.Fatalf("refused: %s", good)
	}
	for _, bad := range []string{
		"", "{}", "[]", system + "}", strings.Replace(good, `"kind":"system"`, `"kind":"nonsense"`, 1), strings.Replace(good, `"kind":"system"`, `"kind":7`, 1),
		strings.Replace(good, `"kind"`, `"sort"`, 1), strings.Replace(good, `"pseq":1`, `"pseq":"x"`, 1), strings.Replace(good, `"seq":7`, `"seq":0`, 1),
		strings.Replace(good, `"host":"h"`, `"host":7`, 1), good[:len(good)/2],
	} {
		if NewParser().ParseStored([]byte(bad), &rec) {
			t.Errorf("taken: %s", bad)
		}
	}
}

// What a parser remembers of earlier records does not change what it says of later ones.
func TestParserIsReusable(t *testing.T) {
	p := NewParser()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOfN(rapid.SampledFrom([]string{`\\`, `\"`, `\u0061`, `a`}), 0, 2)
		zone := rapid.SampledFrom([]string{"Z", ".5Z", "+01:00", "x"})
		for range 10 {
			src := []byte(`{"v":1,"ts":"2026-11-23T11:40:0` + rapid.SampledFrom([]string{"1", "2"}).Draw(t, "second") + zone.Draw(t, "zone") +
				`","kind":"container","host":"h` + strings.Join(text.Draw(t, "host"), "") + `","boot":"b","producer":"p","pseq":1,"container":"` +
				strings.Join(text.Draw(t, "container"), "") + `","name":"` + strings.Join(text.Draw(t, "name"), "") + `","state":"running"}`)
			var got, want Record
			_, _, gotErr := p.Next(src, nil, &got)
			_, _, wantErr := NewParser().Next(src, nil, &want)
			if fmt.Sprint(gotErr) != fmt.Sprint(wantErr) || gotErr == nil && !reflect.DeepEqual(got, want) {
				t.Fatalf("%s\n%+v %v\n%+v %v", src, got, gotErr, want, wantErr)
			}
		}
	})
}

func BenchmarkParseStored(b *testing.B) {
	p, src := NewParser(), sample(b)
	var rec Record
	if _, _, err := p.Next(src, nil, &rec); err != nil {
		b.Fatal(err)
	}
	src = rec.AppendTo(nil, 7, "2026-11-23T11:40:02.000000Z")
	src = src[:len(src)-1]
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		if !p.ParseStored(src, &rec) {
			b.Fatal("refused")
		}
	}
}

func BenchmarkNext(b *testing.B) {
	p, src := NewParser(), sample(b)
	var rec Record
	arena := make([]byte, 0, 4096)
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		if _, _, err := p.Next(src, arena[:0], &rec); err != nil {
			b.Fatal(err)
		}
	}
}
