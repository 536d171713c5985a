package httpapi

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"testing"
)

// A client can unpack what a stream has flushed while the stream goes on, and a stream that is broken off has no end.
func TestAPackedStreamIsReadAsItComes(t *testing.T) {
	c, w := newRequest(t.Context(), http.MethodGet, "/")
	c.Request.Header.Set("Accept-Encoding", "gzip")
	out := newGzipStreamWriter(c, "text/plain")
	if w.Header().Get("Content-Encoding") != "" {
		t.Error("it says that it is packed before anything is")
	}

	out.buf.WriteString("first\n")
	if err := out.flush(); err != nil {
		t.Fatal(err)
	}
	if got, err := unpack(t, w.Body.Bytes()); got != "first\n" || !errors.Is(err, io.ErrUnexpectedEOF) || w.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("%q, %v, %v", got, err, w.Header())
	}

	out.buf.WriteString("last\n")
	if err := out.close(); err != nil {
		t.Fatal(err)
	}
	if got, err := unpack(t, w.Body.Bytes()); got != "first\nlast\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func unpack(t *testing.T, b []byte) (string, error) {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	return string(text), err
}
