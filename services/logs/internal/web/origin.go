package web

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"gestor.local/contract"

	"gestor.local/logs/internal/page"
	"gestor.local/logs/internal/respond"
)

// The service listens where the browser of its machine reaches it, and every site that this browser shows can send it
// requests. Two checks keep them out; a client that is no browser passes both without doing anything.

// origins refuses what another site asks a browser to store or write.
type origins struct{ protection *http.CrossOriginProtection }

func newOrigins() origins { return origins{http.NewCrossOriginProtection()} }

func (o origins) middleware(c *gin.Context) {
	r := c.Request
	if r.URL.Path == page.PathGraficar { // it writes files, whatever its method
		r = r.Clone(r.Context())
		r.Method = http.MethodPost
	}
	if o.protection.Check(r) != nil {
		respond.Problem(c, http.StatusForbidden, "another site may not ask for this (Origin, Sec-Fetch-Site)")
	}
}

// hosts refuses names that are not this service's (contract.HostAllowed). A site that gave its own name this service's address
// could not send a token, so that with one for reading every name may be used.
type hosts struct {
	readToken string
	more      contract.HostNames
}

func newHosts(d Deps) hosts { return hosts{readToken: d.ReadToken, more: d.Hosts} }

func (h hosts) middleware(c *gin.Context) {
	if h.readToken == "" && !contract.HostAllowed(c.Request.Host, h.more) {
		respond.Problem(c, http.StatusMisdirectedRequest, contract.HostRefused)
	}
}
