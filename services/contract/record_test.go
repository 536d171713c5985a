package contract

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestRecordIsOneFlatObject(t *testing.T) {
	peak := uint64(77)
	bodies := []Body{
		HostBody{CPUs: 2, Classes: []ClassCount{{Class: ClassLow, Owned: 4, Quota: 3}}, Gates: []string{"baseline"}},
		ContainerBody{Subject: Subject{Container: "ab", Name: "n", Class: ClassLow}, Measures: Measures{CPUMillicores: 5}, MemoryKB: &peak},
		DecisionBody{Subject: Subject{Container: "ab"}, Verdict: VerdictRemove, Neighbour: &Neighbour{ID: "cd", Rank: 3}},
		ActionBody{Subject: Subject{Container: "ab"}, ActionID: "1", Action: ActionRemove, Phase: PhaseIntent},
		LaunchBody{Run: "r", Position: 1, LifetimeS: 240, Outcome: LaunchStarted},
		SystemBody{Event: "start", Level: "info", Message: "</script>"},
	}
	for _, body := range bodies {
		t.Run(string(body.kind()), func(t *testing.T) {
			want := NewRecord(time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), 9, SourceModule, body)
			want.Host, want.Boot, want.Producer, want.PSeq = "h", "b", ProducerManager, 7
			line, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			var flat map[string]any
			if err := json.Unmarshal(line, &flat); err != nil {
				t.Fatalf("%v in %s", err, line)
			}
			if strings.Contains(string(line), "Body") || strings.Count(string(line), `"kind"`) != 1 {
				t.Fatalf("not flat: %s", line)
			}
			var got Record
			if err := json.Unmarshal(line, &got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("round trip:\n got %+v\nwant %+v", got, want)
			}
			if problems := got.Validate(); problems != nil {
				t.Errorf("valid record reported: %v", problems)
			}
		})
	}
}

func TestRecordValidateReportsEverythingAtOnce(t *testing.T) {
	got := (&Record{}).Validate()
	if len(got) != 7 {
		t.Fatalf("want 7 problems, got %d: %v", len(got), got)
	}
}

func TestRecordOfUnknownKindIsRefused(t *testing.T) {
	var r Record
	if err := json.Unmarshal([]byte(`{"v":1,"kind":"nonsense"}`), &r); err == nil {
		t.Fatal("accepted")
	}
}

// The kind is found wherever it stands and however it is written.
func TestRecordFindsItsKind(t *testing.T) {
	for _, text := range []string{
		`{"kind":"system","event":"note"}`,
		"{ \"kind\" :\t\"system\", \"event\" : \"note\" }",
		`{"details":{"kind":"host"},"event":"note","kind":"system"}`,
		`{"details":{"kind":"none"},"event":"note","kind":"system"}`,
		`{"cpus":"eight","details":{"kind":"host"},"event":"note","kind":"system"}`,
		`{"event":"note","\u006bind":"system"}`,
	} {
		var r Record
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if body, ok := r.Body.(SystemBody); !ok || r.Kind != KindSystem || body.Event != "note" {
			t.Errorf("%s: read as %+v", text, r)
		}
	}
}

func TestAPlanIsHeldByAGateAReasonOrItsMode(t *testing.T) {
	tests := []struct {
		host HostBody
		want string
	}{
		{HostBody{Mode: ModeEnforce}, ""},
		{HostBody{}, ""}, // of a producer that knows no modes
		{HostBody{Mode: ModeShadow}, HeldShadow},
		{HostBody{Mode: ModeObserve}, HeldObserve},
		{HostBody{Mode: ModeEnforce, Held: HeldSurprise}, HeldSurprise},
		{HostBody{Mode: ModeObserve, Held: "stale", Gates: []string{"stale", "journal"}}, "stale"},
		{HostBody{Mode: ModeEnforce, Gates: []string{"stale"}}, "stale"}, // of before the field
	}
	for _, tt := range tests {
		if got := tt.host.WhyHeld(); got != tt.want {
			t.Errorf("%+v: %q", tt.host, got)
		}
		decision := DecisionBody{Mode: tt.host.Mode, Held: tt.host.Held}
		if got := decision.WhyHeld(); got != tt.want && len(tt.host.Gates) == 0 {
			t.Errorf("%+v: %q", decision, got)
		}
	}
}
