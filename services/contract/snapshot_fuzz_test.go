package contract_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"

	"gestor.local/contract"
)

// FuzzParseSnapshot: what is accepted is JSON, comes back from being written, and no shorter text of it is accepted.
func FuzzParseSnapshot(f *testing.F) {
	f.Add([]byte(base), uint(5))
	for _, doc := range golden(f) {
		f.Add(doc, uint(len(doc)/2))
	}
	f.Fuzz(func(t *testing.T, doc []byte, cut uint) {
		snap, bad, err := contract.ParseSnapshot(doc)
		if err != nil {
			if snap != nil || bad != nil {
				t.Fatal("a rejected document left a snapshot")
			}
			return
		}
		if !json.Valid(doc) || !utf8.Valid(doc) {
			t.Fatal("accepted what is not JSON")
		}
		whole := bytes.TrimRight(doc, " \t\r\n")
		if _, _, err := contract.ParseSnapshot(whole[:cut%uint(len(whole))]); err == nil {
			t.Fatalf("a prefix of %d bytes was accepted", cut%uint(len(whole)))
		}
		if bad == nil { // a bad row may hold what cannot be written as it was read
			comesBack(t, snap)
		}
	})
}

func comesBack(t *testing.T, snap *contract.Snapshot) {
	t.Helper()
	doc, err := json.Marshal(snap)
	if err != nil {
		t.Fatal(err)
	}
	again, bad, err := contract.ParseSnapshot(doc)
	if err != nil || bad != nil || !reflect.DeepEqual(snap, again) {
		t.Fatalf("error %v, rows %v:\nwrote %+v\nread  %+v", err, bad, snap, again)
	}
}

// FuzzCheckText: what is accepted, encoding/json accepts; what it refuses, we refuse.
func FuzzCheckText(f *testing.F) {
	for _, seed := range []string{`{}`, `[]`, `0`, `-0.5e-7`, `"\ud83d\ude00\u0000"`, `{"a":1,"A":2}`, `[1,]`, "\"\xff\"", `{"":{"":[[]]}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		err := contract.CheckText(doc)
		if err == nil && !json.Valid(doc) {
			t.Fatalf("accepted what is not JSON: %q", doc)
		}
		if err == nil && !utf8.Valid(doc) {
			t.Fatalf("accepted what is not UTF-8: %q", doc)
		}
		if err == nil {
			var v any
			if err := json.Unmarshal(doc, &v); err != nil {
				t.Fatalf("accepted what cannot be decoded: %v", err)
			}
		}
	})
}
