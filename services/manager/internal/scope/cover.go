package scope

import (
	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// Cover is what one selector of protect protects on a host.
type Cover struct {
	Selector   string `json:"selector"`   // in words: of image redis*
	Containers int    `json:"containers"` // own or not, and whether another selector protects them too
}

// Covers says of each selector of protect how many containers of the host it protects.
func Covers(p policy2.Policy, f rules.Facts) []Cover {
	h := look(p, f)
	covers := make([]Cover, 0, len(p.Protect))
	for i := range p.Protect {
		covers = append(covers, Cover{Selector: contract.Printable(p.Protect[i].Words()), Containers: h.protects(i)})
	}
	return covers
}
