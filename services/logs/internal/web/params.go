package web

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
	"gestor.local/logs/internal/query"
)

// params reads a query string and gathers everything that is wrong with it.
type params struct {
	values   url.Values
	now      time.Time
	known    []string
	problems []contract.FieldError
}

func newParams(r *http.Request, now time.Time) *params {
	values, problems := contract.ParseQuery(r.URL.RawQuery)
	return &params{values: values, now: now, problems: problems}
}

// noParams refuses parameters where none is taken: whoever sends one believes that it does something.
func noParams(c *gin.Context) {
	if bad := newParams(c.Request, time.Time{}).done(); bad != nil {
		failParams(c, bad)
	}
}

func failParams(c *gin.Context, bad []contract.FieldError) {
	fail(c, http.StatusBadRequest, "the query string is wrong", bad...)
}

func (p *params) wrong(field, reason string) {
	p.problems = append(p.problems, contract.FieldError{Field: field, Reason: reason})
}

// one returns the value of a parameter that may be given once.
func (p *params) one(name string) string {
	p.known = append(p.known, name)
	all := p.values[name]
	if len(all) > 1 {
		p.wrong(name, "may be given once")
	}
	if len(all) == 0 {
		return ""
	}
	return all[0]
}

// list returns the values of a parameter that may be repeated or hold commas.
func (p *params) list(name string) []string {
	p.known = append(p.known, name)
	var out []string
	for _, v := range p.values[name] {
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part == "" {
				p.wrong(name, "has a place without a value between commas")
				continue
			}
			out = append(out, part)
		}
	}
	return out
}

// fields reads the names of the members that an answer shows, each once. Members that the contract does not know are shown
// with the whole record only: a misspelt name would be taken for a member that no record has.
func (p *params) fields() []string {
	names := p.list("fields")
	for i, name := range names {
		switch {
		case !line.Knows(name):
			p.wrong("fields", fmt.Sprintf("%q is no member of a record", name))
		case slices.Contains(names[:i], name):
			p.wrong("fields", fmt.Sprintf("%q is there twice", name))
		}
	}
	return names
}

// time reads an RFC 3339 time, Unix seconds, or a duration before now (15m, 24h, 7d).
func (p *params) time(name string) time.Time {
	v := p.one(name)
	if v == "" {
		return time.Time{}
	}
	t, err := parseTime(v, p.now)
	if err != nil {
		p.wrong(name, err.Error())
	}
	return t
}

var (
	errTime = errors.New("write an RFC 3339 time, Unix seconds, or a duration before now such as 15m, 24h or 7d")
	errYear = errors.New("want a year from 1970 to 9999")
)

func parseTime(v string, now time.Time) (time.Time, error) {
	if t, ok := line.ParseTime([]byte(v)); ok {
		return t, bounded(t)
	}
	if n, err := strconv.ParseInt(v, 10, 64); err == nil && n >= 0 {
		if n > maxUnix {
			return time.Time{}, errYear
		}
		return time.Unix(n, 0), nil
	}
	if d, err := parseDuration(v); err == nil {
		return now.Add(-d), nil
	}
	return time.Time{}, errTime
}

// maxUnix is the last second of the year 9999: an answer tells its range in RFC 3339, which has four digits.
const maxUnix = 253402300799

// bounded refuses times that an answer could not write, or whose range could not. The zero time is no bound.
func bounded(t time.Time) error {
	if year := t.UTC().Year(); t.IsZero() || year >= 1970 && year <= 9999 {
		return nil
	}
	return errYear
}

// parseDuration is time.ParseDuration with days, and refuses negative ones.
func parseDuration(v string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(v, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	d, err := time.ParseDuration(v)
	if err == nil && d < 0 {
		err = errTime
	}
	return d, err
}

// whole reads a number within bounds.
func (p *params) whole(name string, fallback, low, high int) int {
	v := p.one(name)
	if v == "" {
		return fallback
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < low || n > high {
		p.wrong(name, fmt.Sprintf("want a whole number from %d to %d", low, high))
		return fallback
	}
	return n
}

// choice reads one of some words.
func (p *params) choice(name, fallback string, words ...string) string {
	v := p.one(name)
	if v == "" {
		return fallback
	}
	if !slices.Contains(words, v) {
		p.wrong(name, "want one of "+strings.Join(words, ", "))
		return fallback
	}
	return v
}

// filter reads the parameters of contract.Filter.
func (p *params) filter() contract.Filter {
	f := contract.Filter{
		Since: p.time("since"), Until: p.time("until"), Images: p.list("image"), Hosts: p.list("host"),
		Containers: p.list("container"), Actions: p.list("action"), Text: p.one("q"),
	}
	for _, k := range p.list("kind") {
		if !slices.Contains(contract.Kinds(), contract.Kind(k)) {
			p.wrong("kind", fmt.Sprintf("%q is none of %v", k, contract.Kinds()))
		}
		f.Kinds = append(f.Kinds, contract.Kind(k))
	}
	for _, c := range p.list("class") {
		f.Classes = append(f.Classes, contract.Class(c))
	}
	for _, id := range f.Containers {
		if len(id) < 4 {
			p.wrong("container", "want a full id or at least its first 4 digits")
		}
	}
	if !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until) {
		p.wrong("until", "is not after since")
	}
	return f
}

// done reports parameters that nothing read: a misspelt filter that selects everything is worse than an error.
func (p *params) done() []contract.FieldError {
	for name := range p.values {
		if !slices.Contains(p.known, name) {
			p.wrong(name, "unknown parameter")
		}
	}
	slices.SortStableFunc(p.problems, func(a, b contract.FieldError) int { return strings.Compare(a.Field, b.Field) })
	return p.problems
}

// A cursor is the last sequence number that was answered and a hash of the question, so that it is not used with
// another one. It stays right while records arrive.
func cursor(seq uint64, values url.Values) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], seq)
	binary.BigEndian.PutUint64(b[8:], questionHash(values))
	return base64.RawURLEncoding.EncodeToString(b[:])
}

var errCursor = errors.New("is not a cursor of this query; begin again without it")

func parseCursor(text string, values url.Values) (uint64, error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != 16 || binary.BigEndian.Uint64(b[8:]) != questionHash(values) {
		return 0, errCursor
	}
	return binary.BigEndian.Uint64(b[:8]), nil
}

// questionHash covers what selects and orders, not how much is asked for or in which form.
func questionHash(values url.Values) uint64 {
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
