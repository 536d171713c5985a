package facts

import (
	"context"

	"gestor.local/contract"
	"gestor.local/manager/internal/rules"
)

// Engine lists containers and inspects them.
type Engine interface {
	List(ctx context.Context) (contract.Inventory, error)
	Inspector
}

// Once asks the engine once, for what it knows itself: there are no figures of what containers use, and ages are those of the wall
// clock. suite is the suite's name, "" for any. Errors are those of the list; who could not be inspected is unknown.
func Once(ctx context.Context, e Engine, suite string) (rules.Facts, error) {
	inv, err := e.List(ctx)
	if err != nil {
		return rules.Facts{}, err
	}

	b := New(Options{})
	b.Inspected(Inspect(ctx, e, b.Observe(inv, nil)))
	return b.Facts(Tick{Inventory: inv, Suite: SuiteOf(suite, "", PartsOf(suite, inv), inv)}), nil
}
