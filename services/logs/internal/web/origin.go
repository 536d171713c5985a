package web

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
)

// The service listens where the browser of its machine reaches it, and every site that this browser shows can send it
// requests. Two checks keep them out; a client that is no browser passes both without doing anything.

// origins refuses what another site asks a browser to store or write.
type origins struct{ protection *http.CrossOriginProtection }

func newOrigins() origins { return origins{http.NewCrossOriginProtection()} }

func (o origins) middleware(c *gin.Context) {
	r := c.Request
	if r.URL.Path == pathGraficar { // it writes files, whatever its method
		r = r.Clone(r.Context())
		r.Method = http.MethodPost
	}
	if o.protection.Check(r) != nil {
		fail(c, http.StatusForbidden, "another site may not ask for this (Origin, Sec-Fetch-Site)")
	}
}

// hosts refuses names that are not this service's: a site can give its own name the address 127.0.0.1 after it was
// loaded (DNS rebinding), and is then the same origin as this service. It could not send a token, so that with one for
// reading every name may be used.
type hosts struct {
	readToken string
	more      []string // in lower case; "*" is any
}

func newHosts(d Deps) hosts {
	h := hosts{readToken: d.ReadToken}
	for _, name := range d.Hosts {
		h.more = append(h.more, strings.ToLower(strings.TrimSpace(name)))
	}
	return h
}

func (h hosts) middleware(c *gin.Context) {
	if h.readToken == "" && !h.ours(c.Request.Host) {
		fail(c, http.StatusMisdirectedRequest, "this service is not asked under this name; if it should be, add the name to "+
			"GESTOR_HOSTS (several with commas, * for any)")
	}
}

// ours says whether a Host header may name this service. A site's own name has a dot in it; an address is nobody's.
func (h hosts) ours(header string) bool {
	name := header
	if host, _, err := net.SplitHostPort(header); err == nil {
		name = host
	}
	name = strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
	_, err := netip.ParseAddr(name)
	return err == nil || !strings.Contains(name, ".") || strings.HasSuffix(name, ".localhost") ||
		slices.Contains(h.more, name) || slices.Contains(h.more, "*")
}
