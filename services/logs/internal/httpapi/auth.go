package httpapi

import (
	"bytes"
	"crypto/subtle"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/respond"
)

// TokenAuth asks for bearer tokens: the writer's for everything that stores, the reader's or the writer's for the rest. The
// suite's own token does for both. Health and version are open, since a health check has no secret. Each is the name of
// a file, "" for a token that does not exist.
type TokenAuth struct{ Write, Read, Suite string }

// Middleware answers 401 for a request without the token that it needs.
func (a TokenAuth) Middleware(c *gin.Context) {
	switch c.Request.URL.Path {
	case contract.PathHealth, contract.PathReady, contract.PathVersion:
		return
	}

	files, asked := []string{a.Read, a.Write, a.Suite}, a.Read
	if c.Request.Method != http.MethodGet && c.Request.Method != http.MethodHead {
		files, asked = files[1:], a.Write
	}
	if asked == "" {
		return
	}

	token := bearer(c.GetHeader("Authorization"))
	if !slices.ContainsFunc(files, func(file string) bool { return tokenMatches(file, token) }) {
		unauthorized(c, "this needs a token: Authorization: Bearer …")
	}
}

// unauthorized answers 401 and how to authenticate.
func unauthorized(c *gin.Context, detail string) {
	c.Header("WWW-Authenticate", `Bearer realm="gestor"`)
	respond.Problem(c, http.StatusUnauthorized, detail)
}

// suiteRefusal is the answer to a stranger who sends records in the name of the suite's own services.
const suiteRefusal = "records of the producers " + contract.ProducerManager + ", " + contract.ProducerGenerator + " and " + contract.ProducerLogs +
	" are taken with the suite's own token only (GESTOR_SUITE_TOKEN_FILE here, GESTOR_TOKEN_FILE at the sender); nothing was stored"

// allowsProducers says whether the request may store these records, and answers it when it may not. Who can write under the
// identity of the manager can make its next records look like duplicates, and the audit trail is blind.
func (a TokenAuth) allowsProducers(c *gin.Context, records []line.Record) bool {
	if a.Suite == "" || !slices.ContainsFunc(records, isSuiteRecord) {
		return true
	}

	token := bearer(c.GetHeader("Authorization"))
	switch {
	case tokenMatches(a.Suite, token):
		return true
	case token == "":
		unauthorized(c, suiteRefusal)
	default:
		respond.Problem(c, http.StatusForbidden, suiteRefusal)
	}
	return false
}

// isSuiteRecord says whether a record claims to come from one of the suite's services. The log service sends none to
// itself: who writes in its name could put conditions on every page, and take the numbers of what it records.
func isSuiteRecord(rec line.Record) bool {
	switch rec.Identity.Producer {
	case contract.ProducerManager, contract.ProducerGenerator, contract.ProducerLogs:
		return true
	default:
		return false
	}
}

// bearer is the token of an Authorization header, "" without one. The scheme is in any case (RFC 9110, section 11.1).
func bearer(header string) string {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// tokenMatches says whether a file holds the token; one that cannot be read holds none.
func tokenMatches(file, token string) bool {
	if file == "" || token == "" {
		return false
	}
	want, err := os.ReadFile(file)
	want = bytes.TrimSpace(want)
	return err == nil && len(want) > 0 && subtle.ConstantTimeCompare(want, []byte(token)) == 1
}
