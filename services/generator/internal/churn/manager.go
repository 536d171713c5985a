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
	// managerDownAfter is how long a host may go without a tick of its manager before nothing more is started there: six ticks
	// of the default policy, and time enough for a manager that crashed to be back.
	managerDownAfter = time.Minute
	// probeEvery is the time between two questions, probeTimeout how long one may take.
	probeEvery   = 10 * time.Second
	probeTimeout = 5 * time.Second
	// maxProbeAnswer bounds what is read of an answer: its conditions are a few KiB.
	maxProbeAnswer = 1 << 20
	// stalled is how the manager calls itself when its loop has missed several ticks of its policy (its /readyz).
	stalled = "stalled"
)

// ManagerProbe asks now and then whether a manager decides about what is started here. It may be used from any goroutine.
// Make one with NewManagerProbe.
type ManagerProbe struct {
	url    string
	client *http.Client

	mu       sync.Mutex // guards all following fields
	lastTick time.Time  // the last that is known of
	lastErr  error      // what came instead of a tick when it was last asked for
}

// NewManagerProbe makes one that asks at url, the manager's /readyz. Time counts from now.
func NewManagerProbe(url string, now time.Time) *ManagerProbe {
	return &ManagerProbe{url: url, client: ship.NewClient(probeTimeout), lastTick: now}
}

// Run asks until ctx ends.
func (p *ManagerProbe) Run(ctx context.Context) {
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	defer p.client.CloseIdleConnections()

	for {
		age, err := p.lastTickAge(ctx)
		p.record(age, err, time.Now())

		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// Down returns why no manager is known to be at work, nil while one is.
func (p *ManagerProbe) Down(now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.lastTick) <= managerDownAfter {
		return nil
	}
	return p.lastErr
}

func (p *ManagerProbe) record(age time.Duration, err error, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.lastErr = err
	if at := now.Add(-age); err == nil && at.After(p.lastTick) {
		p.lastTick = at
	}

	if p.lastErr == nil { // the reason to give should no later answer come
		p.lastErr = fmt.Errorf("%s does not answer", p.url)
	}
}

// lastTickAge asks how long ago the manager ticked. Not being ready is no matter: a manager that is kept from acting by a condition
// of its own still decides, and shows that on its own pages.
func (p *ManagerProbe) lastTickAge(ctx context.Context) (age time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, http.NoBody)
	if err != nil {
		return 0, fmt.Errorf("ask the manager: %w", err)
	}

	resp, err := p.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("ask the manager: %w", err)
	}
	defer resp.Body.Close()

	var answer struct {
		Status       string   `json:"status"`
		LastTickAgeS *float64 `json:"last_tick_age_s"`
	}

	err = json.NewDecoder(io.LimitReader(resp.Body, maxProbeAnswer)).Decode(&answer)
	switch {
	case err != nil:
		return 0, fmt.Errorf("ask the manager: GET %s: %s: %w", p.url, resp.Status, err)
	case answer.LastTickAgeS == nil:
		return 0, fmt.Errorf("GET %s: %s: no tick yet", p.url, resp.Status)
	}

	age = time.Duration(*answer.LastTickAgeS * float64(time.Second))
	switch {
	case age <= managerDownAfter:
		return max(age, 0), nil
	case answer.Status == stalled:
		return 0, fmt.Errorf("the manager's last tick was %s ago", age.Round(time.Second))
	default: // its policy has long ticks
		return 0, nil
	}
}
