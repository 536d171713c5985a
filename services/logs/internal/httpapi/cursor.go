package httpapi

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"net/url"

	"gestor.local/logs/internal/query"
)

// A cursor is the last sequence number that was answered and a hash of the question, so that it is not used with
// another one. It stays right while records arrive.
func cursor(seq uint64, values url.Values) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], seq)
	binary.BigEndian.PutUint64(b[8:], queryHash(values))
	return base64.RawURLEncoding.EncodeToString(b[:])
}

var errCursor = errors.New("is not a cursor of this query; begin again without it")

func parseCursor(text string, values url.Values) (uint64, error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != 16 || binary.BigEndian.Uint64(b[8:]) != queryHash(values) {
		return 0, errCursor
	}
	return binary.BigEndian.Uint64(b[:8]), nil
}

// queryHash covers what selects and orders, not how much is asked for or in which form.
func queryHash(values url.Values) uint64 {
	question := url.Values{}
	for name, v := range values {
		switch name {
		case "cursor", "limit", "format", "fields":
		default:
			question[name] = v
		}
	}

	h := fnv.New64a()
	h.Write([]byte(question.Encode()))
	return h.Sum64()
}

func orderOf(word string) query.Order { return query.Order(word == "desc") }
