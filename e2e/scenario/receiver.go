package scenario

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
)

// Receiver is a web server that takes what GESTOR_NOTIFY_URL is told, as a chat would.
type Receiver struct {
	// Setting leads a manager to it.
	Setting string

	mu    sync.Mutex // guards texts
	texts []string
}

// NewReceiver starts one for the time of the test.
func (h *Suite) NewReceiver() *Receiver {
	h.Helper()
	r := &Receiver{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var told struct{ Text string }
		if err := json.NewDecoder(req.Body).Decode(&told); err != nil || req.Method != http.MethodPost {
			http.Error(w, "want a JSON object by POST", http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.texts = append(r.texts, told.Text)
	}))
	h.Cleanup(server.Close)
	r.Setting = "GESTOR_NOTIFY_URL=" + server.URL + "/hook"
	return r
}

// Texts are those of all calls so far, in order.
func (r *Receiver) Texts() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.texts...)
}

// Lines are the lines of all texts that contain all the words.
func (r *Receiver) Lines(words ...string) (lines []string) {
	for _, text := range r.Texts() {
		for line := range strings.Lines(text) {
			if containsAll(line, words) {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
	}
	return lines
}

func containsAll(line string, words []string) bool {
	for _, word := range words {
		if !strings.Contains(line, word) {
			return false
		}
	}
	return true
}
