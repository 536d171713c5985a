package chart

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"gestor.local/logs/internal/chart/charttest"
)

func marshal(t *testing.T, m Model, theme Theme) string {
	t.Helper()
	b, err := json.Marshal(Option(m, theme))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestOptionHoldsTheModelsNumbers(t *testing.T) {
	records := anHour()
	for _, m := range build(t, hour(records), records) {
		var option struct {
			Series []struct {
				Name string
				Data []json.RawMessage
			}
		}
		if err := json.Unmarshal([]byte(marshal(t, m, ThemeLight)), &option); err != nil {
			t.Fatal(err)
		}
		i := 0
		for _, p := range m.Panes {
			for _, s := range p.Series {
				checkNumbers(t, p, s, option.Series[i].Name, option.Series[i].Data)
				i++
			}
		}
		if i != len(option.Series) {
			t.Errorf("%s: %d series in the model, %d in the option", m.Name, i, len(option.Series))
		}
	}
}

func checkNumbers(t *testing.T, p Pane, s Series, name string, data []json.RawMessage) {
	t.Helper()
	if name != s.Name || len(data) != len(s.Points) {
		t.Fatalf("series %q with %d points became %q with %d", s.Name, len(s.Points), name, len(data))
	}
	if s.Kind != KindLine && s.Kind != KindStep {
		return
	}
	for i, pt := range s.Points {
		var pair []*float64
		if err := json.Unmarshal(data[i], &pair); err != nil {
			t.Fatal(err)
		}
		if pt.Gap {
			if pair[1] != nil {
				t.Errorf("%s: a gap became %v", s.Name, *pair[1])
			}
			continue
		}
		if got := *pair[1] * p.Scale().Div; math.Abs(got-pt.Y) > 1e-6*math.Abs(pt.Y) {
			t.Fatalf("%s: point %d is %v in the option, %v in the model", s.Name, i, got, pt.Y)
		}
	}
}

func TestHostileNamesStayText(t *testing.T) {
	names := charttest.Hostile()
	run := charttest.Run{Start: epoch(), Length: 5 * time.Minute, Seed: 4, Name: func(n int) string { return names[n%len(names)] }}
	records := run.Records()
	q := Query{Since: epoch(), Until: epoch().Add(5 * time.Minute), Newest: epoch()}
	for _, m := range build(t, q, records) {
		text := marshal(t, m, ThemeDark)
		for _, bad := range []string{"<", ">", "\u2028", "\x1b", "\u202e"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s: the option holds %q", m.Name, bad)
			}
		}
		for _, key := range []string{`"formatter"`, `"renderItem"`, `"link":"`} {
			if strings.Contains(text, key) {
				t.Errorf("%s: the option holds %s: formatters belong to the page's script", m.Name, key)
			}
		}
	}
}

func TestOptionOfAnEmptyModel(t *testing.T) {
	for _, m := range build(t, hour(nil), nil) {
		if text := marshal(t, m, ThemeLight); !strings.HasPrefix(text, "{") {
			t.Errorf("%s: %s", m.Name, text)
		}
	}
}
