package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"gestor.local/contract"
)

// The list of rejected records is bounded, and says how many it leaves out.
func TestRejectedRecordsAreListedWithinBounds(t *testing.T) {
	a := newAPI(t)
	bad := `{"v":1,"` + strings.Repeat("é", 300) + `":{"a":1,"a":2}}` + "\n" // the reason has the path to what is wrong
	body := systemLine(1, "") + strings.Repeat(bad, 1500)
	w := a.do("POST", "/v1/records", strings.NewReader(body), "Content-Type", contract.MediaNDJSON)
	var got struct {
		contract.IngestResult
		RejectedMore int `json:"rejected_more"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 {
		t.Fatalf("%d %v %.300s", w.Code, err, w.Body)
	}
	if got.Accepted != 1 || len(got.Rejected) != 1000 || got.RejectedMore != 500 {
		t.Errorf("%d accepted, %d listed, %d more", got.Accepted, len(got.Rejected), got.RejectedMore)
	}
	reason := got.Rejected[0].Reason
	if len(reason) > 200 || strings.Contains(reason, "\uFFFD") || !strings.HasSuffix(reason, "…") {
		t.Errorf("a reason of %d bytes: %q", len(reason), reason)
	}
	w = a.do("POST", "/v1/records?atomic=1", strings.NewReader(body), "Content-Type", contract.MediaNDJSON)
	if w.Code != 422 || !strings.Contains(w.Body.String(), `{"reason":"and 500 more"}`) {
		t.Errorf("atomic: %d …%s", w.Code, w.Body.String()[max(0, w.Body.Len()-200):])
	}
}

// A sender that leaves out numbers on and on is answered which of its records are not stored and why; all of a body or none is stored.
func TestGapsBeyondTheBoundAreRefusedByLine(t *testing.T) {
	a := newAPI(t)
	const sent, accepted = 5000, 4096
	var body strings.Builder
	for i := range sent {
		fmt.Fprintf(&body, `{"v":1,"ts":"2026-01-02T03:04:05Z","kind":"system","host":"h","boot":"b","producer":"p","pseq":%d,"event":"e"}`+"\n", 2*(sent-i))
	}
	if code, _ := a.post("/v1/records?atomic=1", body.String()); code != http.StatusUnprocessableEntity {
		t.Errorf("all or nothing: %d", code)
	}
	code, result := a.post("/v1/records", body.String())
	if code != http.StatusOK || result.Accepted != accepted || result.Duplicates != 0 || len(result.Rejected) != sent-accepted {
		t.Fatalf("%d: %d accepted, %d duplicates, %d rejected", code, result.Accepted, result.Duplicates, len(result.Rejected))
	}
	if r := result.Rejected[0]; r.Line != accepted+1 || !strings.Contains(r.Reason, "without gaps") {
		t.Errorf("rejected %+v", r)
	}
}
