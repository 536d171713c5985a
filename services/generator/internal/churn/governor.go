package churn

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"gestor.local/ship"
)

const (
	// ungovernedAfter is how long a host may go without a tick of its manager before nothing more is started there: six ticks
	// of the default policy, and time enough for a manager that crashed to be back.
	ungovernedAfter = time.Minute
	// governorEvery is the time between two questions, governorTimeout how long one may take.
	governorEvery   = 10 * time.Second
	governorTimeout = 5 * time.Second
	// governorAnswer bounds what is read of an answer: its conditions are a few KiB.
	governorAnswer = 1 << 20
	// stalled is how the manager calls itself when its loop has missed several ticks of its policy (its /readyz).
	stalled = "stalled"
)

// Governor knows whether a manager decides about what is started here. It may be used from any goroutine. Make one with
// NewGovernor.
type Governor struct {
	url    string
	client *http.Client

	mu     sync.Mutex // guards all following fields
	ticked time.Time  // of the last tick that is known of
	last   error      // what came instead of a tick when it was last asked for
}

// NewGovernor makes one that asks at url, the manager's /readyz. Time counts from now.
func NewGovernor(url string, now time.Time) *Governor {
	return &Governor{url: url, client: ship.NewClient(governorTimeout), ticked: now}
}

// Watch asks until ctx ends.
func (g *Governor) Watch(ctx context.Context) {
	ticker := time.NewTicker(governorEvery)
	defer ticker.Stop()
	defer g.client.CloseIdleConnections()
	for {
		age, err := g.ask(ctx)
		g.note(age, err, time.Now())
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// Away says why nobody is known to govern, nil while somebody is.
func (g *Governor) Away(now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.Sub(g.ticked) <= ungovernedAfter {
		return nil
	}
	return g.last
}

func (g *Governor) note(age time.Duration, err error, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = err
	if at := now.Add(-age); err == nil && at.After(g.ticked) {
		g.ticked = at
	}
	if g.last == nil { // should no later answer come
		g.last = fmt.Errorf("%s does not answer", g.url)
	}
}

// ask returns how long ago the manager ticked. Not being ready is no matter: a manager that is kept from acting by a condition
// of its own still decides, and says so where people look.
func (g *Governor) ask(ctx context.Context) (age time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url, http.NoBody)
	if err != nil {
		return 0, fmt.Errorf("ask the manager: %w", err)
	}
	resp, err := g.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("ask the manager: %w", err)
	}
	defer resp.Body.Close()

	var answer struct {
		Status       string   `json:"status"`
		LastTickAgeS *float64 `json:"last_tick_age_s"`
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, governorAnswer)).Decode(&answer)
	switch {
	case err != nil:
		return 0, fmt.Errorf("ask the manager: GET %s: %s: %w", g.url, resp.Status, err)
	case answer.LastTickAgeS == nil:
		return 0, fmt.Errorf("GET %s: %s: no tick yet", g.url, resp.Status)
	}

	age = time.Duration(*answer.LastTickAgeS * float64(time.Second))
	switch {
	case age <= ungovernedAfter:
		return max(age, 0), nil
	case answer.Status == stalled:
		return 0, fmt.Errorf("the manager's last tick was %s ago", age.Round(time.Second))
	default: // its policy has long ticks
		return 0, nil
	}
}
