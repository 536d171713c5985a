// Package approval is how a person approves a policy of version 2: the plan with what he is to see of the host, that text, and the
// document that his answer makes. It asks neither the host nor the engine, and it is another process than the running manager that
// makes the document: what reaches it is the plan's JSON and the policy's file.
package approval

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"gestor.local/contract"
	"gestor.local/manager/internal/planview"
	"gestor.local/manager/internal/rules"
	"gestor.local/manager/internal/scope"
)

// Review is a plan with what a person is to see of the host before he approves its policy.
type Review struct {
	rules.Plan

	Path       string    `json:"path"` // of the policy, where the plan was made
	Host       string    `json:"host"`
	At         time.Time `json:"at"`
	Containers int       `json:"containers"` // on the host
	// ClockInDoubt says that the plan's ages, ends and expiries are unknown.
	ClockInDoubt bool `json:"clock_in_doubt"`
	// Remembered says that the plan goes on from what the manager has seen and done; else what only time can tell begins with it.
	Remembered bool `json:"remembered"`

	OwnContainers []OwnContainer    `json:"own_containers"` // by name
	Protects      []scope.Cover     `json:"protects"`       // by selector of protect
	Now           []planview.Change `json:"now"`
	Next          []planview.Change `json:"next"` // of each container the next one, the earliest first
	Manager       *Manager          `json:"manager"`
}

// OwnContainer is one that the policy owns, running or not. A figure that is not known is nil.
type OwnContainer struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Image string `json:"image"` // "" where it is known by its id alone
	State string `json:"state"`
	AgeS  *int64 `json:"age_s"`
	// OwnLayerBytes is what it has written on top of its image, AnonymousVolumes counts its volumes without a name: what a remove loses.
	OwnLayerBytes    *int64 `json:"own_layer_bytes"`
	AnonymousVolumes *int   `json:"anonymous_volumes"`
	Protected        bool   `json:"protected"` // it is never touched all the same
}

// Manager is the state of the manager that runs where the plan was made, as it says on its port.
type Manager struct {
	Status string `json:"status"` // ready, starting, stalled or degraded
	Policy string `json:"policy"` // the hash of the one in force
	// Gates are those that are closed, Snapshots counts the accepted ones since the start.
	Gates     []string `json:"gates"`
	Snapshots int      `json:"snapshots"`
	// ClockInDoubt is true where there is no plan that knows better.
	ClockInDoubt bool `json:"clock_in_doubt"`
}

// NewReview is the review of a plan. sizes are the own layers that could be measured, by id (facts.Sizes); manager is nil where none
// answered.
func NewReview(v planview.View, sizes map[string]int64, manager *Manager) Review {
	r := Review{
		Plan: v.Plan, Path: v.Path, Host: v.Host, At: time.UnixMicro(v.Facts.WallUS).UTC(), Containers: len(v.Plan.Verdicts),
		ClockInDoubt: v.Facts.ClockInDoubt, OwnContainers: []OwnContainer{}, Protects: scope.Covers(v.Policy, *v.Facts), Manager: manager,
	}
	r.Now, r.Next = v.Changes()

	for _, c := range v.Own() {
		one := OwnContainer{ID: c.ID, Name: c.Name, Image: c.Image, State: c.State}
		_, one.Protected = v.Policy.Protects(c.Identity, v.Facts.Suite)
		if c.CreatedWallUS.Known {
			age := max(0, v.Facts.WallUS-c.CreatedWallUS.Value) / time.Second.Microseconds()
			one.AgeS = &age
		}
		if bytes, ok := sizes[c.ID]; ok {
			one.OwnLayerBytes = &bytes
		}
		if c.AnonymousVolumes.Known {
			one.AnonymousVolumes = &c.AnonymousVolumes.Value
		}
		r.OwnContainers = append(r.OwnContainers, one)
	}
	return r
}

// mostBytes is enough for the plan of some ten thousand containers.
const mostBytes = 64 << 20

// errNoReview is the error of what is no review.
var errNoReview = errors.New("next: hand on what policy-plan --sizes --json prints (make approve does)")

// Read reads the JSON of a review.
func Read(from io.Reader) (r Review, err error) {
	text, err := io.ReadAll(io.LimitReader(from, mostBytes+1))
	switch {
	case err != nil:
		return r, fmt.Errorf("the plan cannot be read: %w", err)
	case len(text) == 0:
		return r, fmt.Errorf("there is no plan on the standard input; %w", errNoReview)
	case len(text) > mostBytes:
		return r, fmt.Errorf("the plan has more than %d MiB; %w", mostBytes>>20, errNoReview)
	}

	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("what is on the standard input is no plan: %w; %w", err, errNoReview)
	}
	if r.V != rules.PlanVersion || r.OwnContainers == nil || r.PolicyHash == "" {
		return r, fmt.Errorf("what is on the standard input is no plan that lists the own containers; %w", errNoReview)
	}
	if len(r.OwnContainers) != r.Own {
		return r, fmt.Errorf("the plan counts %d own containers and lists %d; %w", r.Own, len(r.OwnContainers), errNoReview)
	}
	return r, nil
}

// nameOf is a container's name as it can be shown, else the beginning of its id.
func (c OwnContainer) nameOf() string {
	const short = 12
	if c.Name == "" {
		return c.ID[:min(short, len(c.ID))]
	}
	return contract.Printable(c.Name)
}
