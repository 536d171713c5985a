package actuator

import (
	"context"
	"fmt"
	"time"

	"gestor.local/contract"
)

// call makes the engine call of one rung under the policy's deadline. A stop also gets its grace.
func (c *climb) call(ctx context.Context, rung contract.Rung) error {
	act, id := c.order.Act, c.order.Victim.ID
	deadline := time.Duration(act.Deadline)
	if rung == contract.RungStop {
		deadline += time.Duration(act.Grace)
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	c.attempts++
	switch rung {
	case contract.RungStop:
		return c.mutator.Stop(ctx, id, time.Duration(act.Grace))
	case contract.RungKill:
		return c.mutator.Kill(ctx, id)
	case contract.RungRemove:
		return c.mutator.Remove(ctx, id)
	default:
		return fmt.Errorf("act on %.12s: unknown rung %q", id, rung)
	}
}
