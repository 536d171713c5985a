package web_test

import (
	"bytes"
	"net/http/httptest"
	"strings"
	"testing"

	"gestor.local/contract"
)

// logs sends the assignment's records.
func (a *api) logs(body string, header ...string) *httptest.ResponseRecorder {
	a.t.Helper()
	return a.do("POST", "/logs", strings.NewReader(body), append([]string{"Content-Type", contract.MediaJSON}, header...)...)
}

// elements is an array of n good elements.
func elements(n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(`{"container_id":"abcd","name":"n"},`, n), ",") + "]"
}

func TestArraysAreRefusedWithTheElement(t *testing.T) {
	a := newAPI(t)
	long := strings.Repeat("x", contract.MaxRecordBytes)
	for name, c := range map[string]struct {
		body string
		want int
		says string
	}{
		"empty objects":   {"[" + strings.Repeat("{},", 30_000) + "{}]", 422, `"line":1,"reason":"container_id is missing"`},
		"no name":         {`[{"container_id":"abcd","name":"n"},{"container_id":"abcd"}]`, 422, `"line":2,"reason":"name is missing"`},
		"one without id":  {`{"pid":7,"name":"n"}`, 422, `"line":1,"reason":"container_id is missing"`},
		"too many":        {elements(20_001), 422, `"line":20001`},
		"too large":       {`[{"container_id":"abcd","name":"n"},{"container_id":"abcd","name":"` + long + `"}]`, 422, `"line":2,"reason":"the record is larger`},
		"no end":          {`[{"container_id":"abcd","name":"n"}`, 400, "does not end"},
		"something after": {elements(1) + `{}`, 400, "follows"},
		"not an element":  {`[7]`, 400, "cannot unmarshal"},
	} {
		t.Run(name, func(t *testing.T) {
			if w := a.logs(c.body); w.Code != c.want || !strings.Contains(w.Body.String(), c.says) {
				t.Errorf("%d %.300s, want %d %s", w.Code, w.Body, c.want, c.says)
			}
		})
	}
	w := a.do("POST", "/logs", bytes.NewReader(zipped(t, []byte("["+strings.Repeat("{},", 2_700_000)+"{}]"))),
		"Content-Type", contract.MediaJSON, "Content-Encoding", "gzip")
	if w.Code != 422 {
		t.Errorf("a bomb of elements: %d %.300s", w.Code, w.Body)
	}
	if a.store.Head() != 0 {
		t.Errorf("something was stored: head %d", a.store.Head())
	}
	if w := a.logs(elements(20_000)); w.Code != 200 || a.store.Head() != 20_000 {
		t.Errorf("an array of the largest length: %d %.300s", w.Code, w.Body)
	}
}

// The identity that a key gives is that of the request: path, key and body.
func TestAKeyIsOfItsPathAndBody(t *testing.T) {
	a := newAPI(t)
	key := []string{"Idempotency-Key", "k"}
	stored := func(what string, want uint64) {
		t.Helper()
		if head := a.store.Head(); head != want {
			t.Errorf("%s: %d records, want %d", what, head, want)
		}
	}
	both := `{"container_id":"abcd","name":"n","total_ram":5}` // either path takes it
	a.logs(both, key...)
	a.do("POST", "/memory", strings.NewReader(both), append(key, "Content-Type", contract.MediaJSON)...)
	stored("another path", 2)
	a.restart()
	a.logs(both, key...)
	stored("the same after a restart", 2)
	a.restart()
	a.logs(elements(2), key...)
	stored("another body after a restart", 4)
}
