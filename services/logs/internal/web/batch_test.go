package web_test

import (
	"encoding/json"
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
