package explain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"gestor.local/manager/internal/journal"
)

// ErrNotFound says that the journal does not reach back to what was asked for, or never held it.
var ErrNotFound = errors.New("not in the journal")

// missing is ErrNotFound with the reach of the journal and the next step.
type missing string

func (m missing) Error() string { return string(m) }

// Is makes it ErrNotFound.
func (missing) Is(target error) bool { return target == ErrNotFound }

// Point is a tick of the journal.
type Point struct {
	Tick uint64    `json:"tick"`
	At   time.Time `json:"at"`
}

func (p Point) String() string {
	return fmt.Sprintf("tick %d (%s)", p.Tick, p.At.UTC().Format(time.RFC3339))
}

// reach is the oldest and the newest tick of a journal.
type reach struct{ oldest, newest Point }

// empty says that the journal holds no tick.
func (r reach) empty() bool { return r.oldest.At.IsZero() }

func (j Journal) reach() (r reach, err error) {
	isTick := func(line []byte) bool { return bytes.Contains(line, []byte(`"tick":{`)) }
	point := func(e journal.Entry) Point { return Point{e.Tick.Context.Tick, e.At} }

	_, err = journal.ScanWhere(j.Path, isTick, func(e journal.Entry) error {
		if e.Tick == nil {
			return nil
		}
		r.oldest = point(e)
		return journal.ErrStop
	})
	if err != nil || r.empty() {
		return r, err
	}

	segment := segmentWatch{}
	_, err = journal.ScanBackwards(j.Path, isTick, func(e journal.Entry) error {
		if segment.begins(e) && !r.newest.At.IsZero() {
			return journal.ErrStop
		}
		if e.Tick != nil {
			r.newest = point(e)
		}
		return nil
	})
	return r, err
}

// noTick is the error for a tick that is not there.
func (j Journal) noTick(number *uint64) error {
	r, err := j.reach()
	switch {
	case err != nil:
		return err
	case number == nil:
		return r.missing("the last tick", "")
	default:
		return r.missing(fmt.Sprintf("tick %d", *number), j.logs("/v1/records", "limit", "1000", "q", fmt.Sprintf(`"tick":%d,`, *number)))
	}
}

// missing is the error for what is not there: it says what is, and how the log service is asked for the rest.
func (r reach) missing(what, logs string) error {
	text := fmt.Sprintf("%s: %v, which reaches from %s to %s", what, ErrNotFound, r.oldest, r.newest)
	if r.empty() {
		text = fmt.Sprintf("%s: %v, which holds no decision yet", what, ErrNotFound)
	}
	switch {
	case logs != "":
		text += fmt.Sprintf("; next: ask the log service, which keeps more: curl -s '%s'", logs)
	case r.empty():
		text += "; next: wait for a tick of the manager, or name another journal with --journal"
	}
	return missing(text)
}

// logsOf is where the log service tells of a container: the whole life by its id; a name, or the beginning of an id that could
// be one, is looked for in the starts, decisions and actions.
func (j Journal) logsOf(who string) string {
	const idDigits = 12 // as docker ps shows them
	if len(who) >= idDigits && strings.Trim(who, "0123456789abcdef") == "" {
		return j.logs("/v1/containers/" + who)
	}
	written, err := json.Marshal(who) // it is looked for in the text of the records
	if err != nil {
		return ""
	}
	return j.logs("/v1/records", "kind", "launch,decision,action", "q", string(written[1:len(written)-1]))
}

// logs is an address of the log service, "" when that is not known.
func (j Journal) logs(path string, query ...string) string {
	if j.Logs == "" {
		return ""
	}
	address := strings.TrimSuffix(j.Logs, "/") + path
	separator := "?"
	for i := 0; i+1 < len(query); i += 2 {
		address += separator + query[i] + "=" + strings.ReplaceAll(url.QueryEscape(query[i+1]), "%2C", ",")
		separator = "&"
	}
	return address
}
