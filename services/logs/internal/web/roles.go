package web

import (
	"bytes"
	"crypto/subtle"
	"net/http"
	"os"
	"strings"

	"github.com/gin-gonic/gin"

	"gestor.local/contract"
)

// roles asks for bearer tokens: the writer's for everything that stores, the reader's or the writer's for the rest.
// Health and version are open, since a health check has no secret.
type roles struct{ write, read string }

func (r roles) middleware(c *gin.Context) {
	switch c.Request.URL.Path {
	case contract.PathHealth, contract.PathReady, contract.PathVersion:
		return
	}
	files := []string{r.read, r.write}
	asked := r.read
	if c.Request.Method != http.MethodGet && c.Request.Method != http.MethodHead {
		files, asked = files[1:], r.write
	}
	if asked == "" {
		return
	}
	token := bearer(c.GetHeader("Authorization"))
	for _, file := range files {
		if file != "" && token != "" && holds(file, token) {
			return
		}
	}
	c.Header("WWW-Authenticate", `Bearer realm="gestor"`)
	fail(c, http.StatusUnauthorized, "this needs a token: Authorization: Bearer …")
}

// bearer is the token of an Authorization header, "" without one. The scheme is in any case (RFC 9110, section 11.1).
func bearer(header string) string {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// holds says whether a file holds the token; one that cannot be read holds none.
func holds(file, token string) bool {
	want, err := os.ReadFile(file)
	want = bytes.TrimSpace(want)
	return err == nil && len(want) > 0 && subtle.ConstantTimeCompare(want, []byte(token)) == 1
}
