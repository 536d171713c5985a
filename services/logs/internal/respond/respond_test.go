package respond

import (
	"context"
	"net/http/httptest"

	"github.com/gin-gonic/gin"
)

// aRequest is a handler's context by itself.
func aRequest(ctx context.Context, method, target string) (*gin.Context, *httptest.ResponseRecorder) {
	w := httptest.NewRecorder()
	c, _ := gin.CreateTestContext(w)
	c.Request = httptest.NewRequest(method, target, nil).WithContext(ctx)
	return c, w
}
