package query_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/store"
	"gestor.local/wal/disk"
)

// opened is a store that holds records given as the rest of their JSON, or as HOST|REST.
func opened(t *testing.T, cfg store.Config, bodies ...string) *store.Store {
	t.Helper()
	cfg.Dir, cfg.MinFree = t.TempDir(), 1
	for stream := range cfg.Keep {
		cfg.Keep[stream] = store.Retention{Age: 100 * 365 * 24 * time.Hour}
	}
	s, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for i, body := range bodies {
		records := make([]line.Record, 1)
		host := "h"
		if name, rest, named := strings.Cut(body, "|"); named { // of another host
			host, body = name, rest
		}
		text := fmt.Sprintf(`{"v":1,"host":%q,"boot":"b","producer":"p","pseq":%d,%s}`, host, i+1, body)
		if _, _, err := line.NewParser().Next([]byte(text), nil, &records[0]); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Append(t.Context(), records); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// measured is a container record.
func measured(at, container string, cpu int) string {
	return fmt.Sprintf(`"ts":"2026-01-01T%sZ","kind":"container","container":%q,"class":"low","owned":true,"measured":true,"cpu_millicores":%d`, at, container, cpu)
}

// leaving is a disk whose reader goes away when a file is opened.
type leaving struct {
	disk.OS
	away   *context.CancelFunc
	opened *int
}

func (l leaving) Open(name string) (disk.File, error) {
	if *l.away != nil {
		*l.opened++
		(*l.away)()
	}
	return l.OS.Open(name)
}

// A question that finds nothing ends with its client all the same.
func TestAQuestionEndsWithItsClient(t *testing.T) {
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
	ctx, cancel := context.WithCancel(t.Context())
	away = cancel
	err := query.New(s).Lines(ctx, query.Query{Filter: contract.Filter{Text: "no such text"}}, func(query.Line) error { return nil })
	if !errors.Is(err, context.Canceled) || opens > 3 {
		t.Errorf("%d files were opened, %v", opens, err)
	}
}

// Sums hold what is asked for, whether the range fits their width or not.
func TestSeriesAnswersWhatIsAsked(t *testing.T) {
	s := opened(t, store.Config{},
		measured("11:40:00", "aa", 1), measured("12:10:00", "aa", 3), measured("12:10:00", "bb", 1000), measured("12:50:00", "aa", 5),
		`"ts":"2026-01-01T12:10:00Z","kind":"container","container":"cc","class":"low","owned":false,"measured":true,"cpu_millicores":77`)
	at := func(clock string) time.Time {
		when, err := time.Parse("2006-01-02 15:04", "2026-01-01 "+clock)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	for name, c := range map[string]struct {
		since, until string
		filter       contract.Filter
		n            uint64
		highest      uint64
	}{
		"whole hours":       {"11:00", "13:00", contract.Filter{}, 4, 1000},
		"half an hour":      {"12:00", "12:30", contract.Filter{}, 2, 1000},
		"across the hour":   {"11:30", "12:30", contract.Filter{}, 3, 1000},
		"more than an hour": {"11:30", "13:30", contract.Filter{}, 4, 1000},
		"end of the hour":   {"12:30", "13:30", contract.Filter{}, 1, 5},
		"one container":     {"11:00", "13:00", contract.Filter{Containers: []string{"aa"}}, 3, 5},
	} {
		got, err := query.New(s).Series(t.Context(), query.SeriesQuery{
			Metric: "cpu_millicores", By: "class", Since: at(c.since), Until: at(c.until), Step: time.Hour, Filter: c.filter,
		})
		if err != nil {
			t.Fatal(err)
		}
		var n, highest uint64
		for _, one := range got {
			for _, p := range one.Points {
				n, highest = n+p.N, max(highest, p.Max)
			}
		}
		if n != c.n || highest != c.highest {
			t.Errorf("%s: %d records up to %d, want %d up to %d", name, n, highest, c.n, c.highest)
		}
	}
}

// An event that mentions a container is not another container.
func TestLifeWithAnEventThatMentionsIt(t *testing.T) {
	s := opened(t, store.Config{},
		`"ts":"2026-01-01T11:00:00Z","kind":"system","event":"note","container":"abcd1234"`, measured("11:40:00", "abcd1234", 1))
	life, ok, err := query.New(s).ContainerHistory(t.Context(), "abcd", "")
	if err != nil || !ok || life.Container.Container != "abcd1234" {
		t.Errorf("%+v, %t, %v", life, ok, err)
	}
}
