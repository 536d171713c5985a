package engine_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gestor.local/manager/internal/engine"
)

func TestADeletionAsksForNoMoreThanItSays(t *testing.T) {
	ok := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
	c, d := connect(t, map[string]func(http.ResponseWriter, *http.Request){"DELETE /containers/" + id: ok})
	for _, how := range []engine.Removal{{}, {Force: true}, {Volumes: true}, {Force: true, Volumes: true}} {
		if err := c.Delete(context.Background(), id, how); err != nil {
			t.Error(err)
		}
	}
	want := []string{
		"DELETE /containers/" + id, "DELETE /containers/" + id + "?force=1",
		"DELETE /containers/" + id + "?v=1", "DELETE /containers/" + id + "?force=1&v=1",
	}
	if diff := cmp.Diff(want, d.seen); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestARefusalToDeleteOneThatRunsIsNoFaultOfTheEngine(t *testing.T) {
	// Of Docker 20.10, and of 28.
	for _, text := range []string{
		"You cannot remove a running container x. Stop the container before attempting removal or force remove",
		`cannot remove container "/x": container is running: stop the container before removing or force remove`,
	} {
		c, _ := connect(t, map[string]func(http.ResponseWriter, *http.Request){"DELETE /containers/" + id: says(http.StatusConflict, text)})
		if kind := engine.KindOf(c.Delete(context.Background(), id, engine.Removal{})); kind != engine.KindOther {
			t.Errorf("%s: kind %s", text, kind)
		}
	}
}

func TestALimitIsLoweredToBillionthsOfACore(t *testing.T) {
	tests := []struct {
		name     string
		limit    engine.CPULimit
		nanoCPUs int64
		want     engine.CPULimit
	}{
		{"none", engine.CPULimit{}, 25_000_000, engine.CPULimit{QuotaUS: 2_500}},
		{"none, and a hundred cores", engine.CPULimit{}, 100_000_000_000, engine.CPULimit{QuotaUS: 10_000_000}},
		{"less than the kernel takes", engine.CPULimit{}, 1, engine.CPULimit{QuotaUS: 1_000}},
		{"less than Docker takes", engine.CPULimit{NanoCPUs: 500_000_000}, 1, engine.CPULimit{NanoCPUs: 10_000_000}},
		{"--cpus", engine.CPULimit{NanoCPUs: 500_000_000}, 25_000_001, engine.CPULimit{NanoCPUs: 25_000_001}},
		{"--cpus that is lower", engine.CPULimit{NanoCPUs: 20_000_000}, 25_000_000, engine.CPULimit{NanoCPUs: 20_000_000}},
		{"a quota that is lower", engine.CPULimit{QuotaUS: 1_500}, 25_000_000, engine.CPULimit{QuotaUS: 1_500}},
		{"the longest period", engine.CPULimit{PeriodUS: 1_000_000}, 1 << 62, engine.CPULimit{QuotaUS: 1_000_000_000, PeriodUS: 1_000_000}},
		{
			"a quota that podman tells as both",
			engine.CPULimit{NanoCPUs: 500_000_000, QuotaUS: 50_000, PeriodUS: 100_000},
			25_000_000,
			engine.CPULimit{QuotaUS: 2_500, PeriodUS: 100_000},
		},
	}

	for _, tt := range tests {
		got := tt.limit.LoweredTo(tt.nanoCPUs)
		if got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
		if before := tt.limit.Share(); before > 0 && got.Share() > before {
			t.Errorf("%s: raised from %d to %d", tt.name, before, got.Share())
		}
	}
}

func TestTwoLimitsAreTheSame(t *testing.T) {
	same := [][]engine.CPULimit{
		{{}, {QuotaUS: -1}, {PeriodUS: 50_000}, {NanoCPUs: -10_000, QuotaUS: -1, PeriodUS: 100_000}},
		{{QuotaUS: 5_000}, {QuotaUS: 5_000, PeriodUS: 100_000}, {NanoCPUs: 50_000_000, QuotaUS: 5_000, PeriodUS: 100_000}},
		{{NanoCPUs: 50_000_000}, {NanoCPUs: 50_000_000, PeriodUS: 100_000}},
		{{QuotaUS: 50_000, PeriodUS: 1_000_000}},
		{{QuotaUS: 5_001}},
		{{NanoCPUs: 50_000_001}},
	}
	for i, a := range same {
		for j, b := range same {
			for _, x := range a {
				for _, y := range b {
					if got := x.Same(y); got != (i == j) {
						t.Errorf("%+v and %+v: %t", x, y, got)
					}
				}
			}
		}
	}
}
