package page

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"gestor.local/contract"

	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/respond"
)

// lifePage is GET /containers/{id}: the story of one container.
type lifePage struct {
	Deps
	*Assets
	from scanner
}

func (h lifePage) register(r gin.IRouter) { r.GET("/containers/:id", h.story) }

// story is what life.html shows.
type story struct {
	contract.Subject
	HostID       string
	Born         time.Time
	Removed      time.Time // by Gestor, zero when it was not
	Ended        time.Time // by anything else, as far as it is recorded
	Seen         time.Time // last sign of life
	Launch       *contract.LaunchBody
	Last         *contract.ContainerBody
	Decision     *decisionRow // that ended it
	Outcome      *contract.ActionBody
	Events       []event // oldest first
	Readings     int     // in which it was measured
	Unmeasured   int
	CPUMost      uint64
	RAMMost      uint64
	Neighbours   []contract.ContainerBody // of its class on its last tick, best rank first
	Tick         uint64
	Version      string
	Since, Until time.Time     // of its charts
	Age          time.Duration // since the last sign of life
}

// event is one line of the story.
type event struct {
	Time time.Time
	Kind contract.Kind
	Text string
	Seq  uint64
}

const maxEvents = 200

func (h lifePage) story(c *gin.Context) {
	id := c.Param("id")
	if !isID(id) {
		respond.Problem(c, http.StatusBadRequest, "a container is named by its id: 4 to 64 hexadecimal digits; next: find it by its name with /v1/decisions?q=NAME")
		return
	}
	if _, ok := pageParams(c); !ok {
		return
	}

	ctx, cancel := context.WithTimeout(c.Request.Context(), respond.QueryTimeout)
	defer cancel()
	s, err := h.read(ctx, id)
	if err != nil {
		respond.Error(c, err)
		return
	}
	if s.Container == "" {
		respond.Problem(c, http.StatusNotFound, "no record names this container, or retention has deleted them")
		return
	}
	var b bytes.Buffer
	if err := h.pages.ExecuteTemplate(&b, "life.html", &s); err != nil {
		respond.Problem(c, http.StatusInternalServerError, "write the page: "+err.Error())
		return
	}
	c.Header("Content-Security-Policy", policyOfPages)
	respond.Body(c, mediaHTML, b.Bytes())
}

func isID(id string) bool {
	return len(id) >= 4 && len(id) <= 64 && strings.Trim(id, "0123456789abcdef") == ""
}

func (h lifePage) read(ctx context.Context, id string) (story, error) {
	s := story{Version: h.Version}
	err := h.from.Scan(ctx, contract.Filter{Containers: []string{id}}, query.Oldest, func(r contract.Record) error {
		s.add(r)
		return nil
	})
	if err != nil || s.Container == "" {
		return s, err
	}
	if err := h.missed(ctx, &s); err != nil {
		return s, err
	}
	s.Since = s.Born.Add(-15 * time.Second)
	s.Until = s.end().Add(30 * time.Second)
	s.Age = max(0, h.from.Now().Sub(s.Seen))
	return s, h.neighbours(ctx, &s)
}

// end is the last that is known of it.
func (s *story) end() time.Time { return latest(latest(s.Seen, s.Removed), s.Ended) }

// Alive says whether nothing is known of its end.
func (s *story) Alive() bool { return s.Removed.IsZero() && s.Ended.IsZero() }

func (s *story) add(r contract.Record) {
	if sub, ok := contract.SubjectOf(r.Body); ok {
		if s.Container == "" {
			s.Subject, s.HostID, s.Born = sub, r.Host, r.Time
		}
		if sub.Container != s.Container {
			return // a prefix that names several: the first one is told
		}
	}
	switch b := r.Body.(type) {
	case contract.ContainerBody:
		s.observe(r, b)
	case contract.LaunchBody:
		s.Launch = &b
		s.note(r, "started by the generator: "+b.Outcome)
	case contract.DecisionBody:
		if b.Verdict == contract.VerdictRemove {
			s.Decision = &decisionRow{DecisionBody: b, Time: r.Time.UTC(), Seq: r.Seq, Tick: r.Tick}
		}
		text := b.Verdict + ": " + b.Text
		if why := b.WhyHeld(); why != "" && b.Verdict == contract.VerdictRemove {
			text += " (not carried out: " + why + ")"
		}
		s.note(r, text)
	case contract.ActionBody:
		text := b.Action + " " + b.Phase
		if b.Phase == contract.PhaseOutcome {
			s.Outcome = &b
			text += ": " + b.Outcome
			switch {
			case b.Removed():
				s.Removed = r.Time
			case b.Gone():
				s.Ended = r.Time
			}
		}
		s.note(r, strings.TrimSpace(text+" "+b.Error))
	}
}

func (s *story) observe(r contract.Record, b contract.ContainerBody) {
	if s.Last == nil {
		born := r.Time.Add(-time.Duration(b.AgeUS) * time.Microsecond) //nolint:gosec // bounded at the door
		if born.Before(s.Born) {
			s.Born = born
		}
	}
	s.Seen, s.Tick, s.Last = r.Time, r.Tick, &b

	if !b.Measured { // its figures are of no interval: the charts leave them out, too
		s.Unmeasured++
		return
	}
	s.Readings++
	s.CPUMost, s.RAMMost = max(s.CPUMost, b.CPUMillicores), max(s.RAMMost, b.RAMKB)
}

func (s *story) note(r contract.Record, text string) {
	if len(s.Events) < maxEvents {
		s.Events = append(s.Events, event{Time: r.Time.UTC(), Kind: r.Kind, Text: text, Seq: r.Seq})
	}
}

// missed notes that the host's newest tick that saw its containers did not see this one any more.
func (h lifePage) missed(ctx context.Context, s *story) error {
	if s.Last == nil || !s.Alive() {
		return nil
	}
	t, err := readTicks(ctx, h.from, s.HostID)
	if err != nil || t.counted == nil || !t.counted.Time.After(s.Seen) || t.counted.number == s.Tick {
		return err
	}
	s.Ended = s.Seen
	return nil
}

// neighbours are the containers of its class on the last tick that saw it.
func (h lifePage) neighbours(ctx context.Context, s *story) error {
	if s.Last == nil {
		return nil
	}
	f := contract.Filter{
		Kinds: []contract.Kind{contract.KindContainer}, Classes: []contract.Class{s.Class}, Hosts: []string{s.HostID},
		Since: s.Seen.Add(-5 * time.Second), Until: s.Seen.Add(5 * time.Second),
	}
	err := h.from.Scan(ctx, f, query.Oldest, func(r contract.Record) error {
		if b, ok := r.Body.(contract.ContainerBody); ok && r.Tick == s.Tick && b.Owned {
			s.Neighbours = append(s.Neighbours, b)
		}
		return nil
	})
	sortRanked(s.Neighbours)
	return err
}
