package actuator

import (
	"context"
	"time"

	"gestor.local/contract"
)

// Shadow does everything but act: it takes the same last look and then reports what would have been done.
type Shadow struct {
	inspector Inspector
}

// NewShadow makes an actuator that cannot act.
func NewShadow(inspector Inspector) *Shadow { return &Shadow{inspector: inspector} }

// Verb is the action its records carry.
func (s *Shadow) Verb() string { return contract.ActionShadowRemove }

// Do takes the last look at the victim; outcome done means that it would have been removed.
func (s *Shadow) Do(ctx context.Context, o Order) Result {
	began := time.Now()
	_, r := lastLook(ctx, s.inspector, o)
	r.Order, r.Took = o, time.Since(began)
	if r.Outcome == "" {
		r.Outcome = contract.OutcomeDone
	}
	return r
}
