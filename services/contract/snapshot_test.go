package contract_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"gestor.local/contract"
)

// golden returns every golden snapshot by file name.
func golden(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/v1/snapshot-*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden snapshots: %v", err)
	}
	docs := map[string][]byte{}
	for _, path := range paths {
		if docs[filepath.Base(path)], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	return docs
}

// TestGoldenSnapshots reads each golden document without a problem and to the same values as encoding/json.
func TestGoldenSnapshots(t *testing.T) {
	for name, doc := range golden(t) {
		t.Run(name, func(t *testing.T) {
			got, bad, err := contract.ParseSnapshot(doc)
			if err != nil || bad != nil {
				t.Fatalf("error %v, rows %v", err, bad)
			}
			var want contract.Snapshot
			if err := json.Unmarshal(doc, &want); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(&want, got) {
				t.Errorf("encoding/json reads %+v\nwe read %+v", want, got)
			}
			if bad, err := got.Validate(); err != nil || bad != nil {
				t.Errorf("Validate: error %v, rows %v", err, bad)
			}
		})
	}
}

// TestSchemaNamesEveryField holds the parser's schema and the Go types together: a document with every member of every
// type set must come back as it was.
func TestSchemaNamesEveryField(t *testing.T) {
	var want contract.Snapshot
	fill(reflect.ValueOf(&want).Elem(), new(uint64))
	doc, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := contract.DecodeUnchecked(doc)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(&want, got) {
		t.Errorf("want %+v\ngot  %+v", want, got)
	}
}

// fill sets every field to a value of its own.
func fill(v reflect.Value, n *uint64) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.String:
		v.SetString("text \"" + strconv.FormatUint(*n, 10) + "\"\n\u00e9\U0001f600")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(int64(*n))
	case reflect.Uint64:
		v.SetUint(*n)
	default:
		panic("a kind the contract does not use: " + v.Kind().String())
	}
}

// TestEveryPrefixIsRejected is the promise that a torn read never decides.
func TestEveryPrefixIsRejected(t *testing.T) {
	for name, doc := range golden(t) {
		t.Run(name, func(t *testing.T) {
			doc = bytes.TrimSpace(doc)
			step := 1
			if testing.Short() {
				step = 17
			}
			for n := 0; n < len(doc); n += step {
				if snap, _, err := contract.ParseSnapshot(doc[:n]); err == nil || snap != nil {
					t.Fatalf("the first %d of %d bytes were accepted", n, len(doc))
				}
			}
		})
	}
}

// base is a small valid document to break.
const base = `{"version":1,"source":"module","module":"1.0.0","kernel":"6.12.0","instance":"0123456789abcdef",` +
	`"sequence":7,"monotonic_us":50000000,"realtime_us":1700000000000000,"cpus":2,"page_size":4096,` +
	`"capabilities":{"cgroup":2,"cpu_source":"cgroup","io":true,"psi":false,"exact_rss":true},` +
	`"self":{"walk_us":900,"tasks_seen":120,"batches":1,"longest_rcu_us":80},` +
	`"memory":{"total_kb":1000,"free_kb":100,"available_kb":400,"used_kb":600,"shared_kb":5},"containers":[` +
	`{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","cgroup_id":11,"process_count":2,` +
	`"thread_count":3,"cpu_us":5000,"rss_kb":30,"vsz_kb":300,"memory_kb":40,"start_us":1000000,"processes":[` +
	`{"pid":10,"ppid":1,"name":"a","state":"S","threads":1,"start_us":1000000,"cpu_us":1000,"vsz_kb":100,"rss_kb":10,` +
	`"memory_permille":10,"cpu_permille":0},` +
	`{"pid":11,"ppid":10,"name":"b","state":"R","threads":2,"start_us":1000001,"cpu_us":4000,"vsz_kb":200,"rss_kb":20,` +
	`"memory_permille":20,"cpu_permille":0}]},` +
	`{"id":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","cgroup_id":12,"process_count":1,` +
	`"thread_count":1,"cpu_us":1,"rss_kb":1,"vsz_kb":2,"start_us":2000000,"processes":[` +
	`{"pid":20,"ppid":1,"name":"c","state":"S","threads":1,"start_us":2000000,"cpu_us":1,"vsz_kb":2,"rss_kb":1,` +
	`"memory_permille":1,"cpu_permille":0}]}],` +
	`"container_total":2,"process_total":3,"truncated":false,"end":true}`

// change replaces the first old by new, and fails when there is none to replace.
func change(t *testing.T, old, new string) []byte {
	t.Helper()
	if !strings.Contains(base, old) {
		t.Fatalf("the base document has no %s", old)
	}
	return []byte(strings.Replace(base, old, new, 1))
}

func TestBaseIsValid(t *testing.T) {
	if _, bad, err := contract.ParseSnapshot([]byte(base)); err != nil || bad != nil {
		t.Fatalf("error %v, rows %v", err, bad)
	}
}

func TestDocumentIsRejected(t *testing.T) {
	for name, test := range map[string]struct {
		old, new string
		is       error  // what the error must be, if it is one of these
		says     string // what it must say
	}{
		"nothing after":            {`"end":true}`, `"end":true} x`, contract.ErrTrailing, "byte"},
		"two documents":            {`"end":true}`, `"end":true}{}`, contract.ErrTrailing, ""},
		"a NUL after":              {`"end":true}`, "\"end\":true}\x00", contract.ErrTrailing, ""},
		"invalid UTF-8 in a name":  {`"name":"a"`, "\"name\":\"a\xff\"", contract.ErrUTF8, "byte"},
		"invalid UTF-8 in a key":   {`"ppid":1`, "\"\xff\":1,\"ppid\":1", contract.ErrUTF8, ""},
		"overlong UTF-8":           {`"name":"a"`, "\"name\":\"\xc0\xaf\"", contract.ErrUTF8, ""},
		"lone surrogate":           {`"name":"a"`, `"name":"\ud800"`, contract.ErrUTF8, "surrogate"},
		"surrogate and text":       {`"name":"a"`, `"name":"\ud800abcdef"`, contract.ErrUTF8, ""},
		"two high surrogates":      {`"name":"a"`, `"name":"\ud800\ud800"`, contract.ErrUTF8, ""},
		"raw control byte":         {`"name":"a"`, "\"name\":\"a\n\"", contract.ErrSyntax, "control"},
		"control after an escape":  {`"name":"a"`, "\"name\":\"\\t\x01\"", contract.ErrSyntax, "control"},
		"unknown escape":           {`"name":"a"`, `"name":"\x41"`, contract.ErrSyntax, ""},
		"short escape":             {`"name":"a"`, `"name":"\u12"`, contract.ErrSyntax, ""},
		"duplicate head key":       {`"sequence":7`, `"sequence":7,"sequence":8`, contract.ErrDuplicate, "sequence"},
		"duplicate row key":        {`"cpu_us":5000`, `"cpu_us":5000,"cpu_us":1`, contract.ErrDuplicate, "cpu_us"},
		"duplicate process key":    {`"pid":10`, `"pid":10,"pid":12`, contract.ErrDuplicate, "pid"},
		"duplicate by escape":      {`"pid":10`, `"pid":10,"p\u0069d":12`, contract.ErrDuplicate, "pid"},
		"duplicate unknown":        {`"pid":10`, `"pid":10,"x":1,"x":1`, contract.ErrDuplicate, "x"},
		"duplicate inside unknown": {`"pid":10`, `"pid":10,"x":{"y":[{"z":1,"z":1}]}`, contract.ErrDuplicate, "z"},
		"nested too deep":          {`"pid":10`, `"pid":10,"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40), contract.ErrDepth, ""},
		"leading zero":             {`"sequence":7`, `"sequence":07`, contract.ErrSyntax, ""},
		"plus sign":                {`"sequence":7`, `"sequence":+7`, contract.ErrSyntax, ""},
		"NaN":                      {`"sequence":7`, `"sequence":NaN`, contract.ErrSyntax, ""},
		"trailing comma":           {`"cpus":2,`, `"cpus":2,,`, contract.ErrSyntax, ""},
		"comma before the end":     {`"end":true}`, `"end":true,}`, contract.ErrSyntax, ""},
		"single quotes":            {`"source":"module"`, `"source":'module'`, contract.ErrSyntax, ""},
		"comment":                  {`"cpus":2`, `/* */"cpus":2`, contract.ErrSyntax, ""},
		"unknown version":          {`"version":1`, `"version":2`, contract.ErrVersion, "same release"},
		"missing version":          {`"version":1,`, ``, nil, "version: missing"},
		"missing sequence":         {`"sequence":7,`, ``, nil, "sequence: missing"},
		"missing walk time":        {`"walk_us":900,`, ``, nil, "self.walk_us: missing"},
		"missing memory":           {`"total_kb":1000,`, ``, nil, "memory.total_kb: missing"},
		"missing total":            {`"container_total":2,`, ``, nil, "container_total: missing"},
		"missing end":              {`,"end":true`, ``, nil, "end: missing"},
		"end is false":             {`"end":true`, `"end":false`, nil, "end: want true"},
		"end is text":              {`"end":true`, `"end":"true"`, nil, "end: want true or false"},
		"fraction":                 {`"sequence":7`, `"sequence":7.0`, nil, "sequence: want a whole number"},
		"exponent":                 {`"sequence":7`, `"sequence":7e0`, nil, "sequence: want a whole number"},
		"negative":                 {`"walk_us":900`, `"walk_us":-1`, nil, "self.walk_us: want a whole number"},
		"beyond 64 bits":           {`"sequence":7`, `"sequence":18446744073709551616`, nil, "sequence: want a whole number"},
		"text for a number":        {`"sequence":7`, `"sequence":"7"`, nil, "sequence: want a whole number"},
		"null":                     {`"sequence":7`, `"sequence":null`, nil, "sequence: want a whole number"},
		"number for text":          {`"source":"module"`, `"source":1`, nil, "source: want text"},
		"list for an object":       {`"self":{"walk_us":900,"tasks_seen":120,"batches":1,"longest_rcu_us":80}`, `"self":[]`, nil, "self: want object"},
		"object for the list":      {`"containers":[`, `"old":[],"containers":{},"rest":[`, nil, "containers: want list"},
		"unknown source":           {`"source":"module"`, `"source":"guess"`, nil, "source: want module or procfs"},
		"short instance":           {`"0123456789abcdef"`, `"0123"`, nil, "instance"},
		"boot id":                  {`"sequence":7`, `"sequence":7,"boot_id":"x"`, nil, "boot_id"},
		"no sequence":              {`"sequence":7`, `"sequence":0`, nil, "sequence: want 1"},
		"no time":                  {`"monotonic_us":50000000`, `"monotonic_us":0`, nil, "monotonic_us"},
		"no CPU":                   {`"cpus":2`, `"cpus":0`, nil, "cpus"},
		"page size":                {`"page_size":4096`, `"page_size":4095`, nil, "page_size"},
		"cgroup version":           {`"cgroup":2`, `"cgroup":3`, nil, "capabilities.cgroup"},
		"CPU source":               {`"cpu_source":"cgroup"`, `"cpu_source":"x"`, nil, "capabilities.cpu_source"},
		"more free than there is":  {`"free_kb":100`, `"free_kb":1001`, nil, "memory.free_kb"},
		"used does not add up":     {`"used_kb":600`, `"used_kb":601`, nil, "memory.used_kb"},
		"more free swap than swap": {`"shared_kb":5`, `"shared_kb":5,"swap_total_kb":1,"swap_free_kb":2`, nil, "memory.swap_free_kb"},
		"container total":          {`"container_total":2`, `"container_total":3`, nil, "container_total: 3, but there are 2 rows"},
		"process total":            {`"process_total":3`, `"process_total":2`, nil, "process_total: 2, but there are 3 rows"},
		"truncated, too few":       {`"container_total":2,"process_total":3,"truncated":false`, `"container_total":1,"process_total":3,"truncated":true`, nil, "container_total"},
	} {
		t.Run(name, func(t *testing.T) {
			snap, bad, err := contract.ParseSnapshot(change(t, test.old, test.new))
			if err == nil {
				t.Fatalf("accepted: %+v, rows %v", snap, bad)
			}
			if snap != nil || bad != nil {
				t.Errorf("a rejected document leaves %v and %v", snap, bad)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("error %q is not %q", err, test.is)
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %q does not say %q", err, test.says)
			}
		})
	}
}

func TestEveryProblemIsListed(t *testing.T) {
	doc := strings.NewReplacer(`"cpus":2`, `"cpus":0`, `"end":true`, `"end":false`, `"used_kb":600`, `"used_kb":1`).Replace(base)
	_, _, err := contract.ParseSnapshot([]byte(doc))
	var problems contract.Problems
	if !errors.As(err, &problems) || len(problems) != 3 {
		t.Errorf("want 3 problems, have %v", err)
	}
}

func TestRowIsBad(t *testing.T) {
	a, b := strings.Repeat("a", 64), strings.Repeat("b", 64)
	for name, test := range map[string]struct {
		old, new string
		rows     []int
		id       string // of the first bad row
		says     string
	}{
		"missing field":         {`"rss_kb":30,`, ``, []int{0}, a, "containers[0].rss_kb: missing"},
		"negative":              {`"cpu_us":5000`, `"cpu_us":-5`, []int{0}, a, "containers[0].cpu_us: want a whole number"},
		"null is not absent":    {`"memory_kb":40`, `"memory_kb":null`, []int{0}, a, "containers[0].memory_kb"},
		"text":                  {`"vsz_kb":300`, `"vsz_kb":"300"`, []int{0}, a, "containers[0].vsz_kb"},
		"process field":         {`"pid":11,`, ``, []int{0}, a, "containers[0].processes[1].pid: missing"},
		"process of wrong kind": {`"state":"R"`, `"state":5`, []int{0}, a, "containers[0].processes[1].state: want text"},
		"short id":              {a, a[1:], []int{0}, "", "containers[0].id: want 64"},
		"upper-case id":         {b, strings.ToUpper(b), []int{1}, "", "containers[1].id: want 64"},
		"the same id twice":     {b, a, []int{0, 1}, a, "containers[0].id: the same id"},
		"the same pid twice":    {`"pid":11`, `"pid":10`, []int{0}, a, "containers[0].processes[1].pid: 10 stands twice"},
		"pid 0":                 {`"pid":20`, `"pid":0`, []int{1}, b, "containers[1].processes[0].pid: want 1"},
		"pid beyond 31 bits":    {`"pid":20`, `"pid":2147483648`, []int{1}, b, "containers[1].processes[0].pid: want"},
		"process count":         {`"process_count":2`, `"process_count":3`, []int{0}, a, "containers[0].process_count: 3, but there are 2"},
		"thread count":          {`"thread_count":3`, `"thread_count":2`, []int{0}, a, "containers[0].thread_count: 2, but the processes have 3"},
		"state of two letters":  {`"state":"R"`, `"state":"RS"`, []int{0}, a, "containers[0].processes[1].state: want one letter"},
		"start in the future":   {`"start_us":2000000,"processes"`, `"start_us":52000000,"processes"`, []int{1}, b, "containers[1].start_us: after"},
		"process in the future": {`"start_us":1000001`, `"start_us":52000000`, []int{0}, a, "containers[0].processes[1].start_us: after"},
		"row is no object":      {`"containers":[`, `"containers":[5,`, []int{0}, "", "containers[0]: want object"},
		"processes are no list": {`"processes":[`, `"processes":1,"x":[`, []int{0}, a, "containers[0].processes: want list"},
	} {
		t.Run(name, func(t *testing.T) {
			doc := change(t, test.old, test.new)
			if strings.Contains(name, "no object") {
				doc = bytes.Replace(doc, []byte(`"container_total":2`), []byte(`"container_total":3`), 1)
			}
			snap, bad, err := contract.ParseSnapshot(doc)
			if err != nil {
				t.Fatalf("the whole document is lost: %v", err)
			}
			var rows []int
			for _, r := range bad {
				rows = append(rows, r.Index)
			}
			if !reflect.DeepEqual(rows, test.rows) || bad[0].ID != test.id {
				t.Fatalf("bad rows %+v, want %v with id %q", bad, test.rows, test.id)
			}
			if said := bad.Of(test.rows[0]).Error(); !strings.Contains(said, test.says) {
				t.Errorf("%q does not say %q", said, test.says)
			}
			if bad.Of(len(snap.Containers)) != nil {
				t.Error("a row that is not there is bad")
			}
			for i := range snap.Containers {
				if bad.Has(i) != (i == test.rows[0] || i == test.rows[len(test.rows)-1]) {
					t.Errorf("Has(%d) = %v", i, bad.Has(i))
				}
			}
		})
	}
}

func TestUnknownFieldsAreIgnored(t *testing.T) {
	doc := strings.NewReplacer(
		`"cpus":2`, `"cpus":2,"later":{"a":[1,-2.5e3,null,true,"\u00e9\ud83d\ude00"],"b":{}}`,
		`"pid":10`, `"pid":10,"later":"x"`, `"cgroup_id":12`, `"cgroup_id":12,"Cgroup_ID":"x"`).Replace(base)
	got, bad, err := contract.ParseSnapshot([]byte(doc))
	if err != nil || bad != nil {
		t.Fatalf("error %v, rows %v", err, bad)
	}
	want, _, err := contract.ParseSnapshot([]byte(base))
	if err != nil || !reflect.DeepEqual(want, got) {
		t.Errorf("the unknown fields changed the snapshot: %+v", got)
	}
}

func TestOrderOfFieldsAndSpaceDoNotMatter(t *testing.T) {
	var v any
	if err := json.Unmarshal([]byte(base), &v); err != nil {
		t.Fatal(err)
	}
	sorted, err := json.MarshalIndent(v, "\t", "  ") // maps are written in the order of their keys
	if err != nil {
		t.Fatal(err)
	}
	got, bad, err := contract.ParseSnapshot(append([]byte("\r\n "), sorted...))
	want, _, _ := contract.ParseSnapshot([]byte(base))
	if err != nil || bad != nil || !reflect.DeepEqual(want, got) {
		t.Errorf("error %v, rows %v: %+v", err, bad, got)
	}
}

func TestTruncatedIsReturnedForTheReaderToRefuse(t *testing.T) {
	doc := change(t, `"container_total":2,"process_total":3,"truncated":false`, `"container_total":9,"process_total":90,"truncated":true`)
	snap, bad, err := contract.ParseSnapshot(doc)
	if err != nil || bad != nil || !snap.Truncated || snap.ContainerTotal != 9 {
		t.Errorf("error %v, rows %v: %+v", err, bad, snap)
	}
}

func TestTooLargeIsRefusedUnread(t *testing.T) {
	_, _, err := contract.ParseSnapshot(make([]byte, contract.MaxSnapshotBytes+1))
	if !errors.Is(err, contract.ErrTooLarge) {
		t.Errorf("error %v", err)
	}
}
