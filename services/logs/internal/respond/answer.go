package respond

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/gzip"

	"gestor.local/contract"
)

// minGzipBytes is the length from which compressing an answer is worth it.
const minGzipBytes = 1024

// Body answers with a body with a strong ETag, packed for those who take it, or 304 when the client has it already.
func Body(c *gin.Context, media string, body []byte) {
	sum := sha256.Sum256(body)
	tag := hex.EncodeToString(sum[:12])

	gzipped := false
	if !strings.HasPrefix(media, "image/") { // which is packed in itself
		c.Header("Vary", "Accept-Encoding")
		gzipped = len(body) >= minGzipBytes && AcceptsGzip(c)
	}

	if gzipped { // another answer, byte for byte
		tag += "-gzip"
	}
	tag = `"` + tag + `"`
	c.Header("ETag", tag)

	// The client may have it (RFC 9110, section 13.1.2): a tag is compared weakly there.
	for known := range strings.SplitSeq(c.GetHeader("If-None-Match"), ",") {
		if known = strings.TrimPrefix(strings.TrimSpace(known), "W/"); known == tag || known == "*" {
			c.Status(http.StatusNotModified)
			return
		}
	}

	if gzipped {
		var b bytes.Buffer
		gz := NewGzipWriter(&b)
		if _, err := gz.Write(body); err == nil && gz.Close() == nil { // a buffer takes everything
			c.Header("Content-Encoding", "gzip")
			body = b.Bytes()
		}
	}

	c.Data(http.StatusOK, media, body)
}

// NewGzipWriter packs fast: records become a tenth either way, and the time is the client's.
func NewGzipWriter(to io.Writer) *gzip.Writer {
	z, err := gzip.NewWriterLevel(to, gzip.BestSpeed)
	if err != nil { // never: the level is one of the library's
		return gzip.NewWriter(to)
	}
	return z
}

// JSON is Body for a value.
func JSON(c *gin.Context, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		Problem(c, http.StatusInternalServerError, err.Error())
		return
	}
	Body(c, contract.MediaJSON, append(body, '\n'))
}

// AcceptsGzip says whether the client takes a packed answer.
func AcceptsGzip(c *gin.Context) bool {
	for part := range strings.SplitSeq(c.GetHeader("Accept-Encoding"), ",") {
		coding, weight, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			return !isZeroWeight(weight)
		}
	}
	return false
}

// isZeroWeight says whether a weight is 0, in any of its spellings: q=0, q=0.0 (RFC 9110, section 12.4.2).
func isZeroWeight(weight string) bool {
	name, value, _ := strings.Cut(weight, "=")
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	return strings.EqualFold(strings.TrimSpace(name), "q") && err == nil && q == 0
}
