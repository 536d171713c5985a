package ship

import (
	"net/http"
	"time"
)

// NewClient makes a client for what services of a suite ask each other; a time-out of 0 is none. It never asks a proxy:
// compose hands the one in ~/.docker/config.json to every container, and a proxy of the outer world does not know the inner
// network. Whoever is done with it calls its CloseIdleConnections.
func NewClient(timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, Transport: &http.Transport{Proxy: nil, IdleConnTimeout: idleTimeout}}
}
