package page

import (
	"bytes"
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"gestor.local/contract"

	"gestor.local/logs/internal/history"
	"gestor.local/logs/internal/query"
	"gestor.local/logs/internal/respond"
)

// containerHandler is GET /containers/{id}: the history of one container.
type containerHandler struct {
	Deps
	*Assets
	from RecordSource
}

func (h containerHandler) register(r gin.IRouter) { r.GET("/containers/:id", h.get) }

// containerHistory is embedded under a name of its own: a container's id is called Container, too.
type containerHistory = history.Container

// containerPage is what life.html shows.
type containerPage struct {
	*containerHistory // nil while no record names it
	Launch            *contract.LaunchBody
	Last              *contract.ContainerBody
	Decision          *decisionRow // that ended it
	Outcome           *contract.ActionBody
	Lines             []historyLine            // oldest first
	Unmeasured        int                      // ticks that saw it and have no figure of it
	Neighbours        []contract.ContainerBody // of its class on its last tick, best rank first
	Tick              uint64
	Version           string
	Since, Until      time.Time     // of its charts
	Age               time.Duration // since the last sign of life
}

// historyLine is one line of the history.
type historyLine struct {
	Time time.Time
	Kind contract.Kind
	Text string
	Seq  uint64
}

const maxLines = 200

func (h containerHandler) get(c *gin.Context) {
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
	p, err := h.read(ctx, id)
	if err != nil {
		respond.Error(c, err)
		return
	}

	if p.containerHistory == nil {
		respond.Problem(c, http.StatusNotFound, "no record names this container, or retention has deleted them")
		return
	}

	var b bytes.Buffer
	if err := h.templates.ExecuteTemplate(&b, "life.html", &p); err != nil {
		respond.Problem(c, http.StatusInternalServerError, "write the page: "+err.Error())
		return
	}
	c.Header("Content-Security-Policy", pageCSP)
	respond.Body(c, mediaHTML, b.Bytes())
}

// isID says whether a text may be an id or its beginning.
func isID(id string) bool {
	return len(id) >= 4 && len(id) <= 64 && strings.Trim(id, "0123456789abcdef") == ""
}

// read gathers what is recorded about a container; its history is nil where nothing is.
func (h containerHandler) read(ctx context.Context, id string) (containerPage, error) {
	p := containerPage{Version: h.Version}
	err := h.from.Scan(ctx, contract.Filter{Containers: []string{id}}, query.Oldest, func(r contract.Record) error {
		p.addRecord(r)
		return nil
	})
	if err != nil || p.containerHistory == nil {
		return p, err
	}

	if err := h.markEnded(ctx, &p); err != nil {
		return p, err
	}

	p.Since = p.Born.Add(-15 * time.Second)
	p.Until = p.End().Add(30 * time.Second)
	p.Age = max(0, h.from.Now().Sub(p.Seen))
	return p, h.addNeighbours(ctx, &p)
}

// addRecord takes the container's next record, in the order of the store.
func (p *containerPage) addRecord(r contract.Record) {
	subject, ok := contract.SubjectOf(r.Body)
	if !ok {
		return // an event that mentions it
	}
	if p.containerHistory == nil {
		p.containerHistory = history.New(subject, r.Host, r.Time)
	}
	if subject.Container != p.Container {
		return // a prefix that names several: the first one is shown
	}

	switch b := r.Body.(type) {
	case contract.ContainerBody:
		p.addReading(r, b)

	case contract.LaunchBody:
		p.Launch = &b
		p.addLine(r, "started by the generator: "+b.Outcome)

	case contract.DecisionBody:
		if b.Verdict == contract.VerdictRemove {
			p.Decision = &decisionRow{DecisionBody: b, Time: r.Time.UTC(), Seq: r.Seq, Tick: r.Tick}
		}

		text := cmp.Or(b.Step, b.Verdict) + ": " + b.Text
		if why := b.WhyHeld(); why != "" && (b.Verdict == contract.VerdictRemove || b.Step != "" && b.Step != "keep") {
			text += " (not carried out: " + why + ")"
		}
		p.addLine(r, text)

	case contract.ActionBody:
		text := b.Action + " " + b.Phase
		if b.Phase == contract.PhaseOutcome {
			p.Outcome = &b
			text += ": " + b.Outcome
			p.Act(r.Time, b)
		}
		p.addLine(r, strings.TrimSpace(text+" "+b.Error))
	}
}

// addReading takes what one tick measured of it.
func (p *containerPage) addReading(r contract.Record, b contract.ContainerBody) {
	if b.Why == contract.UnmeasuredNotRunning { // it is there, and does not live
		if !r.Time.Before(p.Seen) {
			p.Tick, p.Last = r.Tick, &b
		}
		return
	}

	// A tick that came late does not take the place of a newer one.
	p.See(r.Time, b.AgeUS)
	if !r.Time.Before(p.Seen) {
		p.Tick, p.Last = r.Tick, &b
	}

	if !b.Measured { // its figures are of no interval: the charts leave them out, too
		p.Unmeasured++
		return
	}
	p.Measure(r.Time, b.Measures)
}

func (p *containerPage) addLine(r contract.Record, text string) {
	if len(p.Lines) < maxLines {
		p.Lines = append(p.Lines, historyLine{Time: r.Time.UTC(), Kind: r.Kind, Text: text, Seq: r.Seq})
	}
}

// markEnded notes that the host's newest tick that saw its containers did not see this one any more.
func (h containerHandler) markEnded(ctx context.Context, p *containerPage) error {
	if p.Last == nil || !p.Alive() {
		return nil
	}

	t, err := readTicks(ctx, h.from, p.Host)
	if err != nil || t.lastCounted == nil || !t.lastCounted.Time.After(p.Seen) || t.lastCounted.number == p.Tick {
		return err
	}

	p.Gone = p.Seen
	return nil
}

// addNeighbours adds the containers of its class on the last tick that saw it.
func (h containerHandler) addNeighbours(ctx context.Context, p *containerPage) error {
	if p.Last == nil {
		return nil
	}

	f := contract.Filter{
		Kinds: []contract.Kind{contract.KindContainer}, Classes: []contract.Class{p.Class}, Hosts: []string{p.Host},
		Since: p.Seen.Add(-5 * time.Second), Until: p.Seen.Add(5 * time.Second),
	}

	err := h.from.Scan(ctx, f, query.Oldest, func(r contract.Record) error {
		if b, ok := r.Body.(contract.ContainerBody); ok && r.Tick == p.Tick && b.Owned {
			p.Neighbours = append(p.Neighbours, b)
		}
		return nil
	})

	sortRanked(p.Neighbours)
	return err
}
