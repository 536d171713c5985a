package respond

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"gestor.local/contract"

	"gestor.local/logs/internal/line"
)

// Params reads a query string and gathers everything that is wrong with it.
type Params struct {
	Values url.Values
	Now    time.Time // that relative times count from

	known    []string
	problems []contract.FieldError
}

// NewParams parses the query string of a request.
func NewParams(r *http.Request, now time.Time) *Params {
	values, problems := contract.ParseQuery(r.URL.RawQuery)
	return &Params{Values: values, Now: now, problems: problems}
}

// NoParams refuses parameters where none is taken: whoever sends one believes that it does something.
func NoParams(c *gin.Context) {
	if bad := NewParams(c.Request, time.Time{}).Problems(); bad != nil {
		BadParams(c, bad)
	}
}

// BadParams answers 400 with what is wrong with a query string.
func BadParams(c *gin.Context, bad []contract.FieldError) {
	Problem(c, http.StatusBadRequest, "the query string is wrong", bad...)
}

// Reject notes what is wrong with a parameter.
func (p *Params) Reject(field, reason string) {
	p.problems = append(p.problems, contract.FieldError{Field: field, Reason: reason})
}

// Ignore takes a parameter whose value is not used.
func (p *Params) Ignore(name string) { p.known = append(p.known, name) }

// One returns the value of a parameter that may be given once.
func (p *Params) One(name string) string {
	p.known = append(p.known, name)
	all := p.Values[name]
	if len(all) > 1 {
		p.Reject(name, "may be given once")
	}

	if len(all) == 0 {
		return ""
	}
	return all[0]
}

// List returns the values of a parameter that may be repeated or hold commas.
func (p *Params) List(name string) []string {
	p.known = append(p.known, name)
	var out []string

	// "a,,b" is refused: whoever sends it has lost a value.
	for _, v := range p.Values[name] {
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part == "" {
				p.Reject(name, "has a place without a value between commas")
				continue
			}
			out = append(out, part)
		}
	}
	return out
}

// Fields reads the names of the members that an answer shows, each once. Members that the contract does not know are shown
// with the whole record only: a misspelt name would be taken for a member that no record has.
func (p *Params) Fields() []string {
	names := p.List("fields")
	for i, name := range names {
		switch {
		case !line.Knows(name):
			p.Reject("fields", fmt.Sprintf("%q is no member of a record", name))
		case slices.Contains(names[:i], name):
			p.Reject("fields", fmt.Sprintf("%q is there twice", name))
		}
	}
	return names
}

// Time reads an RFC 3339 time, Unix seconds, or a duration before now (15m, 24h, 7d).
func (p *Params) Time(name string) time.Time {
	v := p.One(name)
	if v == "" {
		return time.Time{}
	}

	t, err := parseTime(v, p.Now)
	if err != nil {
		p.Reject(name, err.Error())
	}
	return t
}

var (
	errTime = errors.New("write an RFC 3339 time, Unix seconds, or a duration before now such as 15m, 24h or 7d")
	errYear = errors.New("want a year from 1970 to 9999")
)

// parseTime is Params.Time of one value.
func parseTime(v string, now time.Time) (time.Time, error) {
	if t, ok := line.ParseTime([]byte(v)); ok {
		return t, checkYear(t)
	}

	if n, err := strconv.ParseInt(v, 10, 64); err == nil && n >= 0 {
		if n > maxUnix {
			return time.Time{}, errYear
		}
		return time.Unix(n, 0), nil
	}

	if d, err := ParseDuration(v); err == nil {
		return now.Add(-d), nil
	}

	return time.Time{}, errTime
}

// maxUnix is the last second of the year 9999: an answer has its range in RFC 3339, which has four digits.
const maxUnix = 253402300799

// checkYear refuses times that an answer could not write, or whose range could not. The zero time is no bound.
func checkYear(t time.Time) error {
	if year := t.UTC().Year(); t.IsZero() || year >= 1970 && year <= 9999 {
		return nil
	}
	return errYear
}

// ParseDuration is time.ParseDuration with days, and refuses negative ones.
func ParseDuration(v string) (time.Duration, error) {
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

// Int reads a number within bounds.
func (p *Params) Int(name string, fallback, low, high int) int {
	v := p.One(name)
	if v == "" {
		return fallback
	}

	n, err := strconv.Atoi(v)
	if err != nil || n < low || n > high {
		p.Reject(name, fmt.Sprintf("want a whole number from %d to %d", low, high))
		return fallback
	}
	return n
}

// Choice reads one of some words.
func (p *Params) Choice(name, fallback string, words ...string) string {
	v := p.One(name)
	if v == "" {
		return fallback
	}

	if !slices.Contains(words, v) {
		p.Reject(name, "want one of "+strings.Join(words, ", "))
		return fallback
	}
	return v
}

// Filter reads the parameters of contract.Filter.
func (p *Params) Filter() contract.Filter {
	f := contract.Filter{
		Since: p.Time("since"), Until: p.Time("until"), Images: p.List("image"), Hosts: p.List("host"),
		Containers: p.List("container"), Actions: p.List("action"), Text: p.One("q"),
	}

	for _, k := range p.List("kind") {
		if !slices.Contains(contract.Kinds(), contract.Kind(k)) {
			p.Reject("kind", fmt.Sprintf("%q is none of %v", k, contract.Kinds()))
		}
		f.Kinds = append(f.Kinds, contract.Kind(k))
	}
	for _, c := range p.List("class") {
		f.Classes = append(f.Classes, contract.Class(c))
	}

	// A shorter beginning would soon name several containers.
	for _, id := range f.Containers {
		if len(id) < 4 {
			p.Reject("container", "want a full id or at least its first 4 digits")
		}
	}

	if !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until) {
		p.Reject("until", "is not after since")
	}
	return f
}

// Problems reports parameters that nothing read: a misspelt filter that selects everything is worse than an error.
func (p *Params) Problems() []contract.FieldError {
	for name := range p.Values {
		if !slices.Contains(p.known, name) {
			p.Reject(name, "unknown parameter")
		}
	}

	// A map has no order, and an answer should have one.
	slices.SortStableFunc(p.problems, func(a, b contract.FieldError) int { return strings.Compare(a.Field, b.Field) })
	return p.problems
}
