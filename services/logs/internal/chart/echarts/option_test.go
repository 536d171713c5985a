package echarts

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"gestor.local/logs/internal/chart"
	"gestor.local/logs/internal/chart/charttest"
	"gestor.local/logs/internal/chart/charttest/modeltest"
)

func marshal(t *testing.T, m chart.Model, theme chart.Theme) string {
	t.Helper()
	b, err := json.Marshal(Option(m, theme))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestOptionHoldsTheModelsNumbers(t *testing.T) {
	for _, m := range modeltest.Build(t, modeltest.First(time.Hour), charttest.Hour()) {
		var option struct {
			Series []struct {
				Name string
				Data []json.RawMessage
			}
		}
		if err := json.Unmarshal([]byte(marshal(t, m, chart.ThemeLight)), &option); err != nil {
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

func checkNumbers(t *testing.T, p chart.Pane, s chart.Series, name string, data []json.RawMessage) {
	t.Helper()
	if name != s.Name || len(data) != len(s.Points) {
		t.Fatalf("series %q with %d points became %q with %d", s.Name, len(s.Points), name, len(data))
	}
	if s.Kind != chart.KindLine && s.Kind != chart.KindStep {
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
	for _, m := range modeltest.Build(t, modeltest.First(5*time.Minute), charttest.HostileRecords(5*time.Minute, 4)) {
		text := marshal(t, m, chart.ThemeDark)
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
	for _, m := range modeltest.Empty(t) {
		if text := marshal(t, m, chart.ThemeLight); !strings.HasPrefix(text, "{") {
			t.Errorf("%s: %s", m.Name, text)
		}
	}
}

// TestAbsurdNumbersAreWritten: JSON has no words for what is no number.
func TestAbsurdNumbersAreWritten(t *testing.T) {
	for _, m := range modeltest.Build(t, modeltest.First(time.Hour), charttest.Absurd()) {
		marshal(t, m, chart.ThemeLight)
	}
}

func BenchmarkOption(b *testing.B) {
	for _, m := range modeltest.Build(b, modeltest.First(time.Hour), charttest.Hour()) {
		b.Run(m.Name, func(b *testing.B) {
			for b.Loop() {
				if _, err := json.Marshal(Option(m, chart.ThemeLight)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
