// Package shiptest is an in-memory log service for tests of producers: it keeps what it accepts, knows a resend from a
// second record, and misbehaves when told to.
package shiptest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"

	"gestor.local/contract"
)

// SyncUS is how long every request is said to have waited for stable storage.
const SyncUS = 1234

// Fault decides the fate of one request.
type Fault func(s *Service, w http.ResponseWriter, r *http.Request)

// Service answers POST /v1/records. The zero value works.
type Service struct {
	// Reject returns the reason for which a record is refused, "" to take it. Set it before the first request.
	Reject func(contract.Record) string

	mu       sync.Mutex // guards all following fields
	faults   []Fault
	seen     map[identity]int
	records  []contract.Record
	requests int
}

type identity struct {
	host, boot, producer string
	pseq                 uint64
}

// Fail makes the next requests fail, one fault each.
func (s *Service) Fail(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// Status answers with a status, as the log service does, and, when it is not empty, a Retry-After header; nothing is kept.
func Status(code int, retryAfter string) Fault {
	return func(_ *Service, w http.ResponseWriter, _ *http.Request) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		Problem(w, code)
	}
}

// Problem answers with the problem document that the log service gives with a status.
func Problem(w http.ResponseWriter, code int) {
	w.Header().Set("Content-Type", contract.MediaProblem)
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(contract.ErrorBody{
		Type: "about:blank", Title: http.StatusText(code), Status: code, Instance: contract.PathRecords,
	})
}

// Foreign answers with a status and a text that are not the log service's, as a proxy does; nothing is kept.
func Foreign(code int) Fault {
	return func(_ *Service, w http.ResponseWriter, _ *http.Request) {
		http.Error(w, http.StatusText(code), code)
	}
}

// NoRoom behaves as the log service does when its disk runs low: a request that holds an observation is refused (507),
// one of events alone is taken.
func NoRoom(s *Service, w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	for line := range bytes.Lines(text) {
		var record contract.Record
		if json.Unmarshal(line, &record) == nil && record.Kind.Observation() {
			Problem(w, http.StatusInsufficientStorage)
			return
		}
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	s.answer(w, r)
}

// LostAnswer keeps the records and then breaks the connection: the producer cannot know.
func LostAnswer(s *Service, _ http.ResponseWriter, r *http.Request) {
	s.ingest(r)
	panic(http.ErrAbortHandler)
}

// Garbage keeps the records and answers 200 with something that is not an answer.
func Garbage(s *Service, w http.ResponseWriter, r *http.Request) {
	s.ingest(r)
	_, _ = w.Write([]byte("<html>"))
}

// ServeHTTP implements http.Handler.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != contract.PathRecords {
		http.NotFound(w, r)
		return
	}
	if fault := s.nextFault(); fault != nil {
		fault(s, w, r)
		return
	}
	s.answer(w, r)
}

func (s *Service) answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", contract.MediaJSON)
	_ = json.NewEncoder(w).Encode(s.ingest(r))
}

func (s *Service) nextFault() Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if len(s.faults) == 0 {
		return nil
	}
	fault := s.faults[0]
	s.faults = s.faults[1:]
	return fault
}

func (s *Service) ingest(r *http.Request) contract.IngestResult {
	s.mu.Lock()
	defer s.mu.Unlock()

	result := contract.IngestResult{Durable: true, SyncUS: SyncUS}
	lines := bufio.NewScanner(r.Body)
	lines.Buffer(nil, contract.MaxRecordBytes)

	for n := 1; lines.Scan(); n++ {
		switch reason, duplicate := s.ingestLine(lines.Bytes()); {
		case reason != "":
			result.Rejected = append(result.Rejected, contract.Rejected{Line: n, Reason: reason})
		case duplicate:
			result.Duplicates++
			result.DuplicateRanges = append(result.DuplicateRanges, [2]int{n, n})
		default:
			result.Accepted++
		}
	}
	return result
}

func (s *Service) ingestLine(text []byte) (reason string, duplicate bool) {
	var record contract.Record
	if err := json.Unmarshal(text, &record); err != nil {
		return err.Error(), false
	}
	if err := record.Validate().Err(); err != nil {
		return err.Error(), false
	}

	if s.Reject != nil {
		if reason := s.Reject(record); reason != "" {
			return reason, false
		}
	}

	if s.seen == nil {
		s.seen = map[identity]int{}
	}
	id := identity{record.Host, record.Boot, record.Producer, record.PSeq}
	if s.seen[id]++; s.seen[id] > 1 {
		return "", true
	}

	s.records = append(s.records, record)
	return "", false
}

// Records returns what was kept, in order of arrival, each once.
func (s *Service) Records() []contract.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]contract.Record(nil), s.records...)
}

// Requests is the number of requests so far.
func (s *Service) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// Copy is another service that holds what this one holds now.
func (s *Service) Copy() *Service {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Service{Reject: s.Reject, seen: maps.Clone(s.seen), records: slices.Clone(s.records)}
}

// Client returns a client whose requests reach the service without a network, so that tests may run it under a fake
// clock.
func (s *Service) Client() *http.Client { return &http.Client{Transport: transport{s}} }

type transport struct{ s *Service }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}

	defer func() {
		if failure := recover(); failure != nil {
			resp, err = nil, errors.New("connection reset by the test")
		}
	}()

	recorder := httptest.NewRecorder()
	t.s.ServeHTTP(recorder, r)
	return recorder.Result(), nil
}
