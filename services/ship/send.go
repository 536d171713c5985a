package ship

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gestor.local/contract"
)

// answerBytes bounds what is read of an answer: a batch whose every line is rejected with a long reason fits.
const answerBytes = 1 << 20

// sender is the client of POST /v1/records.
type sender struct {
	client *http.Client
	url    string
	token  func() (string, error)
}

// sendError is an answer other than success.
type sendError struct {
	status int
	detail string
	// fromLogService says that the log service itself gave the answer: see the function.
	fromLogService bool
	// after is what the server asked to wait, 0 when it did not.
	after time.Duration
}

func (e *sendError) Error() string {
	who := "the log service"
	if !e.fromLogService {
		who = "something other than the log service (is its address right?)"
	}
	return fmt.Sprintf("send records: %s answered %d %s: %s", who, e.status, http.StatusText(e.status), e.detail)
}

// content says whether the answer blames what was sent, so that sending the same again is pointless. Only the log
// service can know: a proxy, or a TLS port that is spoken to without TLS, answers 400 and 413 to any request.
func (e *sendError) content() bool {
	switch e.status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return e.fromLogService
	default:
		return false
	}
}

// newSendError reads an answer other than success.
func newSendError(resp *http.Response, body []byte) *sendError {
	return &sendError{
		status: resp.StatusCode, detail: detail(body), fromLogService: fromLogService(resp, body),
		after: retryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
}

// fromLogService tells the log service's answers from those of others on the way: its errors are problem documents (RFC
// 9457) that repeat the status.
func fromLogService(resp *http.Response, body []byte) bool {
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || media != contract.MediaProblem {
		return false
	}

	var problem contract.ErrorBody
	return json.Unmarshal(body, &problem) == nil && problem.Status == resp.StatusCode
}

// send posts lines as one body. A nil error means every line was accepted, is a duplicate or is in Rejected.
func (s *sender) send(ctx context.Context, lines [][]byte) (contract.IngestResult, error) {
	var result contract.IngestResult
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(bytes.Join(lines, nil)))
	if err != nil {
		return result, fmt.Errorf("send records: %w", err)
	}

	req.Header.Set("Content-Type", contract.MediaNDJSON)
	token, err := s.token()
	if err != nil {
		return result, fmt.Errorf("send records: %w", err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}

	resp, err := s.client.Do(req)
	if err != nil {
		return result, fmt.Errorf("send records: %w", err)
	}
	defer resp.Body.Close()

	body, err := io.ReadAll(io.LimitReader(resp.Body, answerBytes))
	if err != nil {
		return result, fmt.Errorf("send records: read answer: %w", err)
	}

	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return result, newSendError(resp, body)
	}

	if err := json.Unmarshal(body, &result); err != nil {
		return result, fmt.Errorf("send records: read answer: %w", err)
	}
	return result, check(result, len(lines))
}

// check holds the answer to its word: every line has exactly one fate.
func check(r contract.IngestResult, sent int) error {
	if r.Accepted+r.Duplicates+len(r.Rejected) != sent {
		return fmt.Errorf("send records: the log service accounts for %d accepted, %d duplicates and %d rejected of %d sent",
			r.Accepted, r.Duplicates, len(r.Rejected), sent)
	}

	for _, one := range r.Rejected {
		if one.Line < 1 || one.Line > sent {
			return fmt.Errorf("send records: the log service rejects line %d of %d", one.Line, sent)
		}
	}
	return checkRanges(r, sent)
}

// checkRanges holds the duplicates that are named against their number. Their names may be left out.
func checkRanges(r contract.IngestResult, sent int) error {
	after, named := 0, 0
	for _, row := range r.DuplicateRanges {
		if row[0] <= after || row[1] < row[0] || row[1] > sent {
			return fmt.Errorf("send records: the log service calls lines %d to %d of %d duplicates", row[0], row[1], sent)
		}
		after, named = row[1], named+row[1]-row[0]+1
	}

	if named > 0 && named != r.Duplicates {
		return fmt.Errorf("send records: the log service counts %d duplicates and names %d", r.Duplicates, named)
	}
	return nil
}

// mayHaveArrived says whether records may be stored by a request that ended so. The log service stores nothing of a
// request that it answers with an error, unless the error is its own fault.
func mayHaveArrived(err error) bool {
	var answer *sendError
	var op *net.OpError
	switch {
	case errors.As(err, &answer):
		return !answer.fromLogService || answer.status == http.StatusInternalServerError
	case errors.As(err, &op):
		return op.Op != "dial"
	default:
		return true
	}
}

// detail is what a problem document (RFC 9457) says, or the beginning of any other text.
func detail(body []byte) string {
	var problem contract.ErrorBody
	if json.Unmarshal(body, &problem) == nil && problem.Title+problem.Detail != "" {
		parts := []string{problem.Title, problem.Detail}
		for _, e := range problem.Errors {
			parts = append(parts, e.Reason)
		}
		body = []byte(strings.Join(parts, ": "))
	}

	const longest = 512
	return string(bytes.TrimSpace(body[:min(len(body), longest)]))
}

// retryAfter reads the header of RFC 9110, section 10.2.3: seconds or a date.
func retryAfter(value string, now time.Time) time.Duration {
	wait := time.Duration(0)
	if seconds, err := strconv.Atoi(value); err == nil {
		wait = time.Duration(min(seconds, int(retryAfterMax/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), retryAfterMax)
}
