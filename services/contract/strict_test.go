package contract_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"gestor.local/contract"
)

func TestUnmarshalStrict(t *testing.T) {
	var got struct {
		A int    `json:"a"`
		B string `json:"b"`
	}
	if err := contract.UnmarshalStrict([]byte(` {"a":1,"b":"\u00e9","unknown":[{}]} `), &got); err != nil || got.A != 1 || got.B != "é" {
		t.Errorf("error %v: %+v", err, got)
	}
	for doc, want := range map[string]error{
		`{"a":1,"a":2}`:                          contract.ErrDuplicate,
		`{"a":1,"A":2}`:                          contract.ErrDuplicate, // encoding/json takes both for a
		"{\"ks\":1,\"\u212a\u017f\":2}":          contract.ErrDuplicate, // so it does with the Kelvin sign and the long s
		`{"x":[{"y":{"z":1,"z":2}}]}`:            contract.ErrDuplicate,
		`{"b":"\udc00"}`:                         contract.ErrUTF8,
		"{\"b\":\"\xff\"}":                       contract.ErrUTF8,
		`{"a":1} {}`:                             contract.ErrTrailing,
		`{"a":1`:                                 contract.ErrSyntax,
		``:                                       contract.ErrSyntax,
		"\x00":                                   contract.ErrSyntax,
		strings.Repeat(`{"a":`, 33) + `1`:        contract.ErrDepth,
		strings.Repeat(`[`, contract.MaxDepth+1): contract.ErrDepth,
	} {
		if err := contract.UnmarshalStrict([]byte(doc), &got); !errors.Is(err, want) {
			t.Errorf("%q: error %v, want %v", doc, err, want)
		}
	}
	if err := contract.UnmarshalStrict([]byte(`{"a":"text"}`), &got); err == nil {
		t.Error("a wrong type was accepted")
	}
}

func TestDeepestAllowedDocument(t *testing.T) {
	doc := strings.Repeat("[", contract.MaxDepth) + strings.Repeat("]", contract.MaxDepth)
	if err := contract.CheckJSON([]byte(doc)); err != nil {
		t.Error(err)
	}
}

func TestManyKeys(t *testing.T) {
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, `"k%d":%d,`, i, i)
	}
	if err := contract.CheckJSON([]byte("{" + b.String() + `"last":0}`)); err != nil {
		t.Error(err)
	}
	if err := contract.CheckJSON([]byte("{" + b.String() + `"k77":0}`)); !errors.Is(err, contract.ErrDuplicate) {
		t.Errorf("error %v", err)
	}
}

func TestErrorTellsThePlace(t *testing.T) {
	err := contract.CheckJSON([]byte("{\"a\":\xff}"))
	if err == nil || !strings.HasPrefix(err.Error(), "byte 5: ") {
		t.Errorf("error %v", err)
	}
}
