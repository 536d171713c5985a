package query_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/store"
)

// What would read too many records is refused before any file is opened, and the begin that it names fits.
func TestAQuestionThatReadsTooMuchSaysWhatFits(t *testing.T) {
	s, all := filled(t, 30_000) // 10 records a second
	first, last := all[0].Time, all[len(all)-1].Time.Add(time.Second)
	engine := query.New(s).ReadAtMost(8000)

	ask := map[string]func(contract.Filter) error{
		"containers": func(f contract.Filter) error {
			_, err := engine.Containers(t.Context(), f, "cpu")
			return err
		},
		"median": func(f contract.Filter) error {
			_, err := engine.Series(t.Context(), query.SeriesQuery{
				Metric: "ram_kb", By: "class", Step: time.Hour, Since: f.Since, Until: f.Until, Filter: contract.Filter{Containers: f.Containers}, Quantile: 0.5,
			})
			return err
		},
	}
	for name, question := range ask {
		for begin, f := range map[string]contract.Filter{
			"the whole":      {Since: first, Until: last},
			"from somewhere": {Since: first.Add(200*time.Second + time.Millisecond), Until: last},
			"to somewhere":   {Since: first, Until: first.Add(2500 * time.Second)},
		} {
			var much *query.TooMuchError
			if err := question(f); !errors.As(err, &much) || much.Records <= 8000 || much.Since.IsZero() {
				t.Errorf("%s of %s: %v", name, begin, err)
				continue
			}
			if !much.Since.After(f.Since) || !much.Since.Before(f.Until) {
				t.Errorf("%s of %s: since %s is not in it", name, begin, much.Since)
			}
			f.Since = much.Since
			if err := question(f); err != nil {
				t.Errorf("%s of %s: what was said to fit: %v", name, begin, err)
			}
		}
	}

	// Nothing was wrong with a question that is narrow enough.
	for _, f := range []contract.Filter{{Since: last.Add(-10 * time.Second)}, {Since: first, Containers: []string{"nobody"}}} {
		if _, err := engine.Containers(t.Context(), f, "cpu"); err != nil {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

func TestARefusedQuestionReadsNothing(t *testing.T) {
	var away context.CancelFunc
	opens := 0
	var bodies []string
	for i := range 20 {
		bodies = append(bodies, measured("11:00:00", fmt.Sprint(i), i))
	}
	s := opened(t, store.Config{SegmentBytes: 1, FS: leaving{away: &away, opened: &opens}}, bodies...)
	for deadline := time.Now().Add(30 * time.Second); s.Counters().Sealed.Load() < 20; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not sealed")
		}
	}
	away = func() {}
	var much *query.TooMuchError
	if _, err := query.New(s).ReadAtMost(19).Containers(t.Context(), contract.Filter{}, "cpu"); !errors.As(err, &much) || opens > 0 {
		t.Errorf("%v; %d files were opened", err, opens)
	}
}

// Records of one container may come late, and one id may be on two hosts.
func TestContainersAreOfAHostAndTheirLastIsTheLatest(t *testing.T) {
	s := opened(t, store.Config{},
		measured("11:40:00", "abcd1", 1), measured("11:50:00", "abcd1", 3), measured("11:45:00", "abcd1", 8),
		action("11:50:01", "abcd1", "done", true), action("11:49:00", "abcd1", "failed", true))
	all, err := query.New(s).Containers(t.Context(), contract.Filter{}, "cpu")
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	c := all[0]
	if c.Last.CPUMillicores != 3 || c.Peak.CPUMillicores != 8 || c.Mean.CPUMillicores != 4 || c.Samples != 3 {
		t.Errorf("last %d, peak %d, mean %d of %d; want 3, 8, 4 of 3", c.Last.CPUMillicores, c.Peak.CPUMillicores, c.Mean.CPUMillicores, c.Samples)
	}
	if c.Removed != contract.OutcomeDone || c.RemovedAt == nil {
		t.Errorf("removed %q", c.Removed)
	}
	life, ok, err := query.New(s).ContainerHistory(t.Context(), "abcd1", "")
	if err != nil || !ok || life.Last.CPUMillicores != 3 || len(life.Actions) != 2 || life.Actions[0].Time.After(life.Actions[1].Time) {
		t.Errorf("%+v, %t, %v", life, ok, err)
	}
}

func TestOneIdOnTwoHostsIsTwoContainers(t *testing.T) {
	s := opened(t, store.Config{}, "n1|"+measured("11:40:00", "abcd1", 1), "n2|"+measured("11:40:00", "abcd1", 5), "n2|"+measured("11:41:00", "abcd1", 7))
	engine := query.New(s)
	all, err := engine.Containers(t.Context(), contract.Filter{}, "cpu")
	if err != nil || len(all) != 2 || all[0].Host != "n2" || all[0].Samples != 2 || all[1].Host != "n1" || all[1].Samples != 1 {
		t.Errorf("%+v, %v", all, err)
	}
	if _, _, err := engine.ContainerHistory(t.Context(), "abcd1", ""); !errors.Is(err, query.ErrAmbiguous) {
		t.Errorf("%v, want %v", err, query.ErrAmbiguous)
	}
	if life, ok, err := engine.ContainerHistory(t.Context(), "abcd1", "n2"); err != nil || !ok || life.Host != "n2" || life.Samples != 2 {
		t.Errorf("%+v, %t, %v", life, ok, err)
	}
}

func action(at, container, outcome string, removes bool) string {
	return fmt.Sprintf(`"ts":"2026-01-01T%sZ","kind":"action","container":%q,"action":"remove","phase":"outcome","outcome":%q,"removes":%t`, at, container, outcome, removes)
}
