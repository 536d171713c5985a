package scenario

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"testing"
	"time"

	"gestor.local/contract"
)

// Logs is the log service as a client sees it.
type Logs struct {
	URL string // http://127.0.0.1:port
	// Client is used for the requests; nil is one with a time-out of 10 s.
	Client *http.Client
}

// StartLogs runs the log service for the time of the test, with records of its own, and returns the setting that leads a manager to it.
func (h *Suite) StartLogs() (Logs, string) {
	h.Helper()
	port := FreePort(h.TB)
	cmd := exec.Command(h.Programs.Logs)
	cmd.Env = append(os.Environ(), "GESTOR_DATA="+h.TempDir(), "GESTOR_ADDR=127.0.0.1:"+port)
	said := &lines{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() {
		_ = cmd.Process.Kill() // may have ended
		_ = cmd.Wait()         // its error is the signal
		if h.Failed() {
			h.Logf("the log service said:\n%s", said)
		}
	})

	logs := Logs{URL: "http://127.0.0.1:" + port}
	Eventually(h.TB, time.Minute, "the log service answers", func() error {
		_, err := logs.Get(contract.PathReady, "")
		return err
	})
	return logs, "GESTOR_LOGS_URL=" + logs.URL
}

var defaultClient = &http.Client{Timeout: 10 * time.Second}

// Get returns the body of a 200 answer.
func (l Logs) Get(path string, accept string) ([]byte, error) {
	req, err := http.NewRequest(http.MethodGet, l.URL+path, nil)
	if err != nil {
		return nil, err
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}

	client := l.Client
	if client == nil {
		client = defaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()

	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s: %.300s", path, resp.Status, body)
	}
	return body, nil
}

// Records streams every record of the kinds (all kinds when none is named) in the order of their sequence.
func (l Logs) Records(kinds ...contract.Kind) ([]contract.Record, error) {
	q := url.Values{"order": {"asc"}}
	for _, k := range kinds {
		q.Add("kind", string(k))
	}
	body, err := l.Get(contract.PathRecords+"?"+q.Encode(), contract.MediaNDJSON)
	if err != nil {
		return nil, err
	}

	var out []contract.Record
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, contract.MaxRecordBytes+1)
	for lines.Scan() {
		var r contract.Record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("record %.200s: %w", lines.Bytes(), err)
		}
		out = append(out, r)
	}
	return out, lines.Err()
}

// MustRecords is Records for tests.
func (l Logs) MustRecords(t testing.TB, kinds ...contract.Kind) []contract.Record {
	t.Helper()
	r, err := l.Records(kinds...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
