package contract

import "time"

// Paths of the log service's API.
const (
	PathRecords    = "/v1/records"
	PathTail       = "/v1/tail"
	PathStats      = "/v1/stats"
	PathContainers = "/v1/containers"
	PathDecisions  = "/v1/decisions"
	PathCharts     = "/v1/charts"
	PathHealth     = "/healthz"
	PathReady      = "/readyz"
	PathMetrics    = "/metrics"
	PathVersion    = "/version"
	PathOpenAPI    = "/openapi.json"
)

// Media types of the API.
const (
	MediaJSON    = "application/json"
	MediaNDJSON  = "application/x-ndjson"
	MediaCSV     = "text/csv"
	MediaProblem = "application/problem+json" // RFC 9457
)

// Limits of the API.
const (
	MaxBodyBytes   = 8 << 20  // of one request, before and after gunzip
	MaxRecordBytes = 64 << 10 // of one record
	MaxPageRecords = 10_000
	DefaultPage    = 100
)

// IngestResult answers POST /v1/records.
type IngestResult struct {
	Accepted   int `json:"accepted"`
	Duplicates int `json:"duplicates"`
	// DuplicateRanges says which they are: first and last line of each row of them, 1-based positions in the request. It is
	// left out where there are more rows than an answer should hold.
	DuplicateRanges [][2]int   `json:"duplicate_ranges,omitempty"`
	Rejected        []Rejected `json:"rejected,omitempty"`
	// FirstSeq and LastSeq are the range given to the accepted ones, 0 when none was.
	FirstSeq uint64 `json:"first_seq,omitempty"`
	LastSeq  uint64 `json:"last_seq,omitempty"`
	// Durable says that the accepted records were on stable storage before this answer was written.
	Durable bool `json:"durable"`
	// SyncUS is how long the request waited for that, in microseconds.
	SyncUS uint64 `json:"sync_us,omitempty"`
}

// Rejected is one record that was not stored and will not be however often it is sent.
type Rejected struct {
	Line   int    `json:"line"` // 1-based position in the request
	Reason string `json:"reason"`
}

// ErrorBody is a problem detail (RFC 9457).
type ErrorBody struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail,omitempty"`
	Instance string `json:"instance,omitempty"`
	// Errors lists every wrong field or line.
	Errors []FieldError `json:"errors,omitempty"`
}

// FieldError is one entry of ErrorBody.Errors.
type FieldError struct {
	Line   int    `json:"line,omitempty"`
	Field  string `json:"field,omitempty"`
	Reason string `json:"reason"`
}

// Filter selects records; the zero value selects all. It is what the query string of GET /v1/records says.
type Filter struct {
	Since, Until time.Time // [Since, Until); zero = open
	Kinds        []Kind
	Classes      []Class
	Images       []string
	Hosts        []string
	// Containers are full ids or prefixes of at least 4 digits.
	Containers []string
	Actions    []string
	// Text is a substring of the record's JSON line.
	Text string
}
