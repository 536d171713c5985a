package contract_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"gestor.local/contract"
)

func TestRefusedTexts(t *testing.T) {
	for text, want := range map[string]error{
		` {"a":1,"b":"\u00e9","unknown":[{}]} `:  nil,
		`{"a":1,"A":2}`:                          nil, // two names: this reader tells them apart
		`{"a":1,"a":2}`:                          contract.ErrDuplicate,
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
		if err := contract.CheckText([]byte(text)); !errors.Is(err, want) {
			t.Errorf("%q: error %v, want %v", text, err, want)
		}
	}
}

func TestDeepestAllowedDocument(t *testing.T) {
	doc := strings.Repeat("[", contract.MaxDepth) + strings.Repeat("]", contract.MaxDepth)
	if err := contract.CheckText([]byte(doc)); err != nil {
		t.Error(err)
	}
}

func TestManyKeys(t *testing.T) {
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, `"k%d":%d,`, i, i)
	}
	if err := contract.CheckText([]byte("{" + b.String() + `"last":0}`)); err != nil {
		t.Error(err)
	}
	if err := contract.CheckText([]byte("{" + b.String() + `"k77":0}`)); !errors.Is(err, contract.ErrDuplicate) {
		t.Errorf("error %v", err)
	}
}

func TestErrorTellsThePlace(t *testing.T) {
	err := contract.CheckText([]byte("{\"a\":\xff}"))
	if err == nil || !strings.HasPrefix(err.Error(), "byte 5: ") {
		t.Errorf("error %v", err)
	}
}
