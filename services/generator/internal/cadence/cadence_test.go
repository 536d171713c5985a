package cadence

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gestor.local/contract"
)

// take returns the offsets under end, at most 100,000.
func take(s Spec, seed uint64, end time.Duration) (got []time.Duration) {
	for at := range s.Offsets(seed) {
		if at >= end || len(got) == 100_000 {
			break
		}
		got = append(got, at)
	}
	return got
}

func seconds(figures ...float64) (d []time.Duration) {
	for _, f := range figures {
		d = append(d, time.Duration(f*float64(time.Second)))
	}
	return d
}

func TestOffsets(t *testing.T) {
	s := func(n int) Span { return Span(time.Duration(n) * time.Second) }
	for name, test := range map[string]struct {
		spec Spec
		end  time.Duration
		want []time.Duration
	}{
		"batches":           {Spec{Kind: Batches, Count: 3, Every: s(30)}, 61 * time.Second, seconds(0, 0, 0, 30, 30, 30, 60, 60, 60)},
		"rate":              {Spec{Kind: Rate, Count: 4, Every: s(10)}, 10 * time.Second, seconds(0, 2.5, 5, 7.5)},
		"ramp up from 0":    {Spec{Kind: Ramp, To: 10, Every: s(10), Over: s(20)}, 22500 * time.Millisecond, ramped()},
		"ramp that is flat": {Spec{Kind: Ramp, Count: 5, To: 5, Every: s(10), Over: s(4)}, 10 * time.Second, seconds(0, 2, 4, 6, 8)},
		"ramp down to 0":    {Spec{Kind: Ramp, Count: 10, Every: s(10), Over: s(4)}, time.Hour, seconds(0, 1.171573, 4)},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, take(test.spec, 1, test.end)); diff != "" {
				t.Errorf("offsets (-want +got):\n%s", diff)
			}
		})
	}
}

// ramped: the rate reaches 1 a second after 20 s, so the i-th is due at sqrt(40·i) s, and later ones follow by seconds.
func ramped() (want []time.Duration) {
	for i := range 11 {
		us := math.Ceil(math.Sqrt(40*float64(i)) * 1e6)
		want = append(want, time.Duration(us)*time.Microsecond)
	}
	return append(want, seconds(21, 22)...)
}

func drawSpec(t *rapid.T) Spec {
	s := Spec{
		Kind:  rapid.SampledFrom(Kinds()).Draw(t, "kind"),
		Count: rapid.Uint64Range(1, 200).Draw(t, "count"),
		Every: drawSpan(t, "every"),
	}
	if s.Kind == Ramp {
		s.To = rapid.Uint64Range(0, 200).Draw(t, "to")
		s.Over = drawSpan(t, "over")
	}
	return s
}

func drawSpan(t *rapid.T, name string) Span {
	return Span(rapid.Int64Range(1e6, 3600e6).Draw(t, name) * int64(time.Microsecond))
}

func TestOffsetsNeverDecreaseAndTheRateHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec, seed := drawSpec(t), rapid.Uint64().Draw(t, "seed")
		var p contract.Problems
		if spec.Validate("arrivals", &p); p.Err() != nil {
			t.Fatal(p)
		}
		end := 20 * time.Duration(spec.Every)
		got := take(spec, seed, end)
		if !slices.IsSorted(got) || (len(got) > 0 && got[0] < 0) {
			t.Fatalf("offsets decrease: %v", got)
		}
		want, spread := expected(spec, end)
		if math.Abs(float64(len(got))-want) > spread {
			t.Fatalf("%d starts in %s, want %.1f ± %.1f", len(got), end, want, spread)
		}
	})
}

// expected is the number of starts that are due before end and how far a right implementation may be from it.
func expected(s Spec, end time.Duration) (want, spread float64) {
	every := float64(s.Every)
	switch s.Kind {
	case Poisson: // six standard deviations: not by chance in any number of runs of this test
		want = float64(s.Count) * float64(end) / every
		return want, 6*math.Sqrt(want) + 1
	case Ramp:
		l, a, b, t := float64(s.Over), float64(s.Count), float64(s.To), float64(end)
		up := min(t, l)
		want = (a*up + (b-a)*up*up/(2*l) + b*max(t-l, 0)) / every
		return want, 1.01
	default:
		return float64(s.Count) * float64(end) / every, float64(s.Count)*1e-6 + 1
	}
}

func TestValidateNamesEveryProblem(t *testing.T) {
	for name, test := range map[string]struct {
		spec Spec
		want int
	}{
		"empty":           {Spec{}, 1},
		"no figures":      {Spec{Kind: Rate}, 2},
		"ramp of nothing": {Spec{Kind: Ramp, Every: Span(time.Second)}, 2},
		"stray figures":   {Spec{Kind: Batches, Count: 1, Every: Span(time.Second), To: 3}, 1},
		"too many":        {Spec{Kind: Batches, Count: MaxCount + 1, Every: Span(48 * time.Hour)}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			var p contract.Problems
			if test.spec.Validate("arrivals", &p); len(p) != test.want {
				t.Errorf("want %d problems, got %d: %v", test.want, len(p), p)
			}
		})
	}
}
