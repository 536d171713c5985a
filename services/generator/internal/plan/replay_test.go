package plan

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
)

// recorded writes launch records as the log service exports them.
func recorded(t *testing.T, bodies ...contract.Body) string {
	t.Helper()
	var text strings.Builder
	for i, body := range bodies {
		r := contract.NewRecord(time.Unix(int64(1000+i), 0), 0, "", body)
		r.Host, r.Boot, r.Producer, r.PSeq, r.Seq = "h", "b", contract.ProducerGenerator, uint64(i+1), uint64(i+10)
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(append(line, '\n'))
	}
	return text.String()
}

func launched(run string, position, offset, late uint64, image, outcome string) contract.LaunchBody {
	return contract.LaunchBody{
		Subject: contract.Subject{Image: image, Name: image + "-cafe-" + run}, Run: run,
		Position: position, OffsetUS: offset, LateUS: late, LifetimeS: 9, Outcome: outcome,
	}
}

func TestReplayStartsWhatWasStartedWhenItWas(t *testing.T) {
	text := recorded(t,
		launched("old", 1, 0, 0, "high-ram", contract.LaunchStarted),
		contract.SystemBody{Event: "start"},
		launched("new", 3, 200, 0, "low-idle", contract.LaunchStarted),
		launched("new", 1, 0, 900, "high-cpu", contract.LaunchStarted),
		launched("new", 2, 100, 0, "high-ram", contract.LaunchDropped),
		launched("new", 3, 200, 0, "low-idle", contract.LaunchStarted),
	)
	p, err := Replay(strings.NewReader(text), "", images)
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		Position uint64
		OffsetUS int64
		Image    string
		Life     int64
	}
	var got []row
	for _, s := range p.Starts {
		got = append(got, row{s.Position, s.OffsetUS, s.Image, s.LifetimeS})
	}
	if diff := cmp.Diff([]row{{1, 200, "low-idle", 9}, {2, 900, "high-cpu", 9}}, got); diff != "" {
		t.Errorf("starts (-want +got):\n%s", diff)
	}
	again, err := Read(strings.NewReader(write(t, p)))
	if err != nil || !cmp.Equal(p, again) {
		t.Errorf("the plan cannot be read back: %v", err)
	}
	if old, err := Replay(strings.NewReader(text), "old", images); err != nil || len(old.Starts) != 1 {
		t.Errorf("an earlier run: %+v, %v", old.Starts, err)
	}
}

func TestReplayRefusesWhatItCannotRepeat(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":        "",
		"not a record":   "hello\n",
		"nothing began":  recorded(t, launched("r", 1, 0, 0, "low-idle", contract.LaunchFailed)),
		"unknown images": recorded(t, launched("r", 1, 0, 0, "nosuch", contract.LaunchStarted)),
	} {
		t.Run(name, func(t *testing.T) {
			if p, err := Replay(strings.NewReader(text), "", images); err == nil {
				t.Errorf("made %+v", p)
			}
		})
	}
}
