package facts_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/facts"
)

// inspector takes a second for each answer. It says nothing of "lost", never answers for "mute", and answers for "wrong" with
// another's state.
type inspector struct {
	mu        sync.Mutex
	now, most int
}

func (i *inspector) Inspect(ctx context.Context, id string) (engine.ContainerState, error) {
	i.mu.Lock()
	i.now++
	i.most = max(i.most, i.now)
	i.mu.Unlock()
	defer func() {
		i.mu.Lock()
		i.now--
		i.mu.Unlock()
	}()

	wait := time.Second
	if id == "mute" {
		wait = time.Hour
	}
	select {
	case <-ctx.Done():
		return engine.ContainerState{}, ctx.Err()
	case <-time.After(wait):
	}

	switch id {
	case "lost":
		return engine.ContainerState{}, errors.New("gone")
	case "wrong":
		return engine.ContainerState{ID: "other"}, nil
	default:
		return engine.ContainerState{ID: id}, nil
	}
}

func TestInspect(t *testing.T) {
	nine := []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}
	for name, test := range map[string]struct {
		ids, want []string
		within    time.Duration
		most      int
	}{
		"nobody":                {nil, nil, time.Minute, 0},
		"four at a time":        {nine, nine, 4 * time.Second, 4},
		"no more than in time":  {nine, nine[:4], 1500 * time.Millisecond, 4},
		"some are not there":    {[]string{"1", "lost", "wrong", "2"}, []string{"1", "2"}, time.Minute, 4},
		"one is never answered": {[]string{"mute", "1", "2", "3", "4", "5"}, []string{"1", "2", "3", "4", "5"}, 10 * time.Second, 4},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), test.within)
			defer cancel()
			i, begun := &inspector{}, time.Now()
			got := slices.Sorted(maps.Keys(facts.Inspect(ctx, i, test.ids)))
			if !slices.Equal(got, test.want) || i.most != test.most {
				t.Errorf("%s: %v were answered for, %d were asked at a time", name, got, i.most)
			}
			if took := time.Since(begun); took > test.within {
				t.Errorf("%s: it took %s", name, took)
			}
		})
	}
}

// Size answers as Inspect does: each byte of the id is one.
func (i *inspector) Size(ctx context.Context, id string) (bytes int64, ok bool, err error) {
	state, err := i.Inspect(ctx, id)
	return int64(len(id)), state.ID == id, err
}

func TestSizes(t *testing.T) {
	for name, test := range map[string]struct {
		ids, want []string
		takes     time.Duration
		most      int
	}{
		"nobody":                {nil, nil, 0, 0},
		"four at a time":        {[]string{"1", "2", "3", "4", "5"}, []string{"1", "2", "3", "4", "5"}, 2 * time.Second, 4},
		"some are not there":    {[]string{"1", "lost", "wrong", "22"}, []string{"1", "22"}, time.Second, 4},
		"one is never answered": {[]string{"mute", "1", "2", "3", "4", "5"}, []string{"1", "2", "3", "4", "5"}, 10 * time.Second, 4},
	} {
		synctest.Test(t, func(t *testing.T) {
			i, begun := &inspector{}, time.Now()
			got := facts.Sizes(t.Context(), i, test.ids)
			if !slices.Equal(slices.Sorted(maps.Keys(got)), test.want) || i.most != test.most {
				t.Errorf("%s: %v, %d were asked at a time", name, got, i.most)
			}
			for id, bytes := range got {
				if bytes != int64(len(id)) {
					t.Errorf("%s: %s has %d", name, id, bytes)
				}
			}
			if took := time.Since(begun); took != test.takes {
				t.Errorf("%s: it took %s", name, took)
			}
		})
	}
}
