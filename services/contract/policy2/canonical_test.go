package policy2

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares a text with the file testdata/name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || got != string(want) {
		t.Errorf("%s (-update writes it): %v, got\n%s\nwant\n%s", file, err, got, want)
	}
}

// decoded is a policy by its JSON, with the version written.
func decoded(t *testing.T, keys string) Policy {
	t.Helper()
	var p Policy
	if err := json.Unmarshal([]byte(`{"version":2,`+keys+`}`), &p); err != nil {
		t.Fatalf("%s: %v", keys, err)
	}
	return p
}

// everyKey is a policy in which each key of each type is there, and none has its default.
const everyKey = `"mode":"observe","tick":"30s",
"own":[{"label":"a"},{"labels":["a=1","b=x*"],"network":["n"],"image":["mcp/*"],"name":["x","y?"],"project":["ci-*"],"class":["low"],"socket":true}],
"protect":[{"label":"keep"},{"image":["redis*"]}],
"rules":[
 {"name":"hogs","match":[{"label":"a=1"}],"each":"container","when":{"age":"1h","idle":"2h","cpu":"150%","ram":"10%","processes":500,
  "restarts":"5 in 10m","expired":"ttl","for":"5m"},"do":["warn",{"after":"1h","do":"throttle to 50%"}],"calm":"20m"},
 {"name":"ended","when":{"ended":"7d","ram":"2GiB"},"do":"remove","volumes":"anonymous"},
 {"name":"stale","each":"project","keep":{"newest":2,"per":"label a"},"rest_when":{"age":"3d"},"rest":"stop","rm":"remove"}],
"budget":["10 per tick","20 per 1h"],"surprise":50,"idle":{"cpu":"0.02%","net":"1KiB"},
"rank":["rss","cpu","ram","vsz"],"buckets":{"cpu_millicores":20,"ram_kb":2048},"warmup":3,
"gates":{"max_bad_rows_percent":20,"min_interval_percent":60,"max_interval_percent":200,"settle":"1s","degraded_after":4,"alarm_after":8},
"young":{"max":30,"memory_floor_kb":1000},"images":{"Alto:1":"high"},
"act":{"calls":["kill","remove"],"grace":"10s","throttle_millicores":200,"parallel":2,"deadline":"30s","stuck_after":4,"breaker_after":6,"futile_after":4}`

func TestCanonicalJSON(t *testing.T) {
	for name, p := range map[string]Policy{"default.json": Default(), "every-key.json": decoded(t, everyKey)} {
		text, err := json.MarshalIndent(p, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, string(text)+"\n")

		var again Policy
		if err := json.Unmarshal(text, &again); err != nil || !reflect.DeepEqual(again, p.withDefaults()) {
			t.Errorf("%s, read again: %v\n%+v\nwant\n%+v", name, err, again, p)
		}
	}
}

// What is left out has its default; an empty list that was written stays empty.
func TestMissingKeyHasDefault(t *testing.T) {
	if got := decoded(t, `"rules":[]`); !reflect.DeepEqual(got, Default()) {
		t.Errorf("got %+v, want the default", got)
	}
	p := decoded(t, `"own":[],"act":{"parallel":2},"young":{"max":7}`)
	want := Default()
	want.Own, want.Act.Parallel, want.Young.Max = []Selector{}, 2, 7
	if !reflect.DeepEqual(p, want) {
		t.Errorf("got %+v, want %+v", p, want)
	}
}

// The zero policy is written too: what is nil in it is an empty list.
func TestNilIsEmpty(t *testing.T) {
	text, err := json.Marshal(Policy{})
	if err != nil || bytes.Contains(text, []byte("null")) {
		t.Errorf("got %s, %v", text, err)
	}
}

func TestStrictJSON(t *testing.T) {
	cases := map[string]string{ // what must stand in the error, by text
		`{"version":2,"rule":[]}`:                             `unknown field "rule"`,
		`{"version":2,"rules":[{"name":"a","wen":{}}]}`:       `unknown field "wen"`,
		`{"version":2,"rules":[{"when":{"up":"1h"}}]}`:        `unknown field "up"`,
		`{"version":2,"rules":[],"rules":[]}`:                 `"rules" stands twice`,
		`{"version":2,"act":{"parallel":2,"parallel":3}}`:     `"parallel" stands twice`,
		`{"version":2,"images":{"a":"low","a":"high"}}`:       `"a" stands twice`,
		`{"version":2,"OWN":[]}`:                              `"OWN" is not a key`,
		`{"version":2,"own":null}`:                            `"own" has no value`,
		`{"version":2,"own":[null]}`:                          `"own" has no value`,
		`{"version":2,"own":{}}`:                              `cannot unmarshal object`,
		`{"version":2,"tick":10}`:                             `cannot unmarshal number`,
		`{"version":2,"tick":"soon"}`:                         `"soon" is not a duration`,
		`{"version":2,"rules":[{"keep":{"newest":1,"x":1}}]}`: `keep has one number`,
		`{"version":2,"rules":[{"do":["warn",{"after":"1h","do":"stop","rm":"remove"}]}]}`: `unknown field "rm"`,
		`{"version":1}`:                         `version 1 is not supported`,
		`{"mode":"observe"}`:                    `version 0 is not supported`,
		`{}`:                                    `version 0 is not supported`,
		`{"version":2,"mode":"` + "\xff" + `"}`: `is not UTF-8`,
		`[]`:                                    `cannot unmarshal array`,
	}
	for text, want := range cases {
		var p Policy
		err := p.UnmarshalJSON([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
		if !reflect.DeepEqual(p, Policy{}) {
			t.Errorf("%s left %+v", text, p)
		}
	}
}

// Whatever is read is written, and read as the same again.
func FuzzPolicyJSON(f *testing.F) {
	f.Add([]byte(`{"version":2,` + everyKey + `}`))
	f.Add([]byte(`{"version":2,"own":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var p, again Policy
		if p.UnmarshalJSON(text) != nil {
			return
		}
		once, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(once, &again); err != nil {
			t.Fatalf("%s: %v", once, err)
		}
		if twice, _ := json.Marshal(again); !bytes.Equal(once, twice) || p.Hash() != again.Hash() {
			t.Errorf("%s\n%s\nread again:\n%s", text, once, twice)
		}
	})
}
