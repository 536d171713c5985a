package churn

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// answers is a manager: what it answers a time after the beginning.
type answers func(at time.Duration) (status int, body string, err error)

type managerTransport struct {
	began  time.Time
	answer answers
}

func (m managerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body, err := m.answer(time.Since(m.began))
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status), Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{}, Request: r,
	}, nil
}

func ticking(status int, word string, age float64) answers {
	return func(time.Duration) (int, string, error) {
		return status, fmt.Sprintf(`{"status":%q,"tick":7,"last_tick_age_s":%g}`, word, age), nil
	}
}

func TestWhoGoverns(t *testing.T) {
	always := func(status int, body string) answers {
		return func(time.Duration) (int, string, error) { return status, body, nil }
	}
	for name, test := range map[string]struct {
		answer   answers
		from, to int // nobody governs at the seconds between them
	}{
		"it ticks":                  {ticking(200, "ready", 3), 0, 0},
		"it ticks and cannot act":   {ticking(503, "degraded", 3), 0, 0},
		"its policy has long ticks": {ticking(200, "ready", 400), 0, 0},
		"nobody is there":           {func(time.Duration) (int, string, error) { return 0, "", errors.New("refused") }, 60, 999},
		"it has not ticked yet":     {always(503, `{"status":"starting"}`), 60, 999},
		"somebody else answers":     {always(200, "<html>"), 60, 999},
		"its loop stands still since the 5th second": {func(at time.Duration) (int, string, error) {
			word := "ready"
			if at > 45*time.Second {
				word = stalled
			}
			return ticking(503, word, max(at.Seconds()-5, 0))(at)
		}, 65, 999},
		"it is away between the 100th and the 200th second": {func(at time.Duration) (int, string, error) {
			if at > 100*time.Second && at < 200*time.Second {
				return 0, "", errors.New("refused")
			}
			return ticking(200, "ready", 0)(at)
		}, 160, 200},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				g := NewManagerProbe("http://manager/readyz", began)
				g.client.Transport = managerTransport{began, test.answer}
				go g.Run(t.Context())

				for _, second := range []int{0, 59, 61, 66, 95, 150, 165, 199, 201, 305} {
					time.Sleep(time.Until(began.Add(time.Duration(second) * time.Second)))
					synctest.Wait()
					if err := g.Down(time.Now()); (err != nil) != (second > test.from && second < test.to) {
						t.Errorf("after %d s: %v", second, err)
					}
				}
			})
		})
	}
}
