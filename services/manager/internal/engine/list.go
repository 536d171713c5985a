package engine

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"

	"gestor.local/contract"
)

// List returns every container the engine knows, stopped ones included, sorted by id. StartedAt is not part of the
// engine's list and stays empty, and an image whose tag has moved on is told by its id (daemon/list.go, refreshImage): see
// Inspect.
func (c *Client) List(ctx context.Context) (contract.Inventory, error) {
	return c.list(ctx, filters.NewArgs())
}

// ListOwned is List restricted to what carries the ownership label: cheap enough to be asked before every action.
func (c *Client) ListOwned(ctx context.Context) (contract.Inventory, error) {
	return c.list(ctx, filters.NewArgs(filters.Arg("label", contract.LabelManaged+"=true")))
}

func (c *Client) list(ctx context.Context, args filters.Args) (contract.Inventory, error) {
	rows, err := c.api.Load().ContainerList(ctx, container.ListOptions{All: true, Filters: args})
	if err != nil {
		return contract.Inventory{}, c.wrap("list", "", err)
	}
	inv := contract.Inventory{Entries: make([]contract.Entry, 0, len(rows))}
	for i := range rows {
		inv.Entries = append(inv.Entries, entryOf(&rows[i]))
	}
	slices.SortFunc(inv.Entries, func(a, b contract.Entry) int { return cmp.Compare(a.ID, b.ID) })
	return inv, nil
}

func entryOf(row *container.Summary) contract.Entry {
	return contract.Entry{
		ID: row.ID, Name: ownName(row.Names), Image: contract.ImageName(row.Image), Labels: row.Labels,
		State: contract.DockerState(row.State), CreatedUnix: row.Created,
	}
}

// ownName picks the container's own name: a legacy link adds names with a second slash ("/other/alias").
func ownName(names []string) string {
	for _, n := range names {
		if n = strings.TrimPrefix(n, "/"); !strings.Contains(n, "/") {
			return n
		}
	}
	return ""
}
