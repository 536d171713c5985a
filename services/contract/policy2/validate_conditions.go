package policy2

import (
	"fmt"
)

// condition is one of those that are written, by its key.
type condition struct {
	key  string
	text string // as a document writes its value
	// lasting ones say how long they have held already; measured ones are a figure of one moment.
	lasting, measured bool
	// running says that it never holds for one that does not run.
	running bool
}

// written lists the conditions that are set, without For, in the order of the document.
func (c Conditions) written() []condition {
	all := []struct {
		condition
		set bool
	}{
		{condition{key: "age", text: c.Age.String(), lasting: true}, c.Age != 0},
		{condition{key: "idle", text: c.Idle.String(), lasting: true, running: true}, c.Idle != 0},
		{condition{key: "cpu", text: c.CPU.String(), measured: true, running: true}, c.CPU != 0},
		{condition{key: "ram", text: c.RAM.String(), measured: true, running: true}, !c.RAM.IsZero()},
		{condition{key: "processes", text: fmt.Sprint(c.Processes), running: true}, c.Processes != 0},
		{condition{key: "restarts", text: c.Restarts.String(), measured: true, running: true}, !c.Restarts.IsZero()},
		{condition{key: "ended", text: c.Ended.String(), lasting: true}, c.Ended != 0},
		{condition{key: "expired", text: c.Expired, lasting: true}, c.Expired != ""},
	}

	var out []condition
	for _, one := range all {
		if one.set {
			out = append(out, one.condition)
		}
	}
	return out
}

// conditions looks at the values of when or rest_when, and at what they mean with each other and with the steps.
func (c *checker) conditions(where string, cond Conditions, steps Ladder) {
	c.conditionBounds(where, cond)
	c.conditionFor(where, cond, steps)
	if cond.Ended == 0 {
		return
	}

	for _, one := range cond.written() {
		if one.running {
			c.add(where, fmt.Sprintf("never holds: ended is of those that do not run, %s of those that do", one.key), "")
		}
	}
	for _, step := range []Step{StepThrottle, StepStop} {
		if steps.Has(step) {
			c.add(where+".ended", fmt.Sprintf("ended with %s has no effect", step), "remove")
		}
	}
}

func (c *checker) conditionBounds(where string, cond Conditions) {
	for _, one := range []struct {
		key   string
		value Duration
	}{{"age", cond.Age}, {"idle", cond.Idle}, {"ended", cond.Ended}, {"for", cond.For}} {
		if one.value != 0 {
			within(c, where+"."+one.key, one.value, durationBounds(one.key))
		}
	}

	if cond.CPU != 0 {
		within(c, where+".cpu", cond.CPU, percentBounds("cpu"))
	}
	if cond.Processes != 0 {
		within(c, where+".processes", cond.Processes, countBounds("processes"))
	}
	if cond.Expired != "" {
		c.labelKey(where+".expired", cond.Expired)
	}

	// A size below a KiB can only be one whose unit was forgotten.
	m := cond.RAM
	unfit := m.Size < 0 || m.Size%1024 != 0 || m.Size != 0 && m.Percent != 0 || m.Percent != 0 && !percentBounds("ram").hold(m.Percent)
	if unfit {
		c.add(where+".ram", m.String()+" is out of range", ramBounds)
	}

	r := cond.Restarts
	if !r.IsZero() && (!countBounds("restarts").hold(r.Count) || !durationBounds("within").hold(r.Within)) {
		c.add(where+".restarts", r.String()+" is out of range", restartsBounds())
	}
}

// conditionFor looks at whether for is there where it must be, and nowhere else.
func (c *checker) conditionFor(where string, cond Conditions, steps Ladder) {
	written := cond.written()
	if cond.For == 0 {
		if !c.read(where+".for") || !steps.Has(StepStop) && !steps.Has(StepRemove) {
			return
		}
		for _, one := range written {
			if one.measured {
				c.add(where+"."+one.key, one.key+" decides over life without for", "add for: 1m or more")
			}
		}
		return
	}

	if !c.read(where) {
		return // what was not read may be what for is about
	}
	if len(written) == 0 {
		c.add(where+".for", "for stands alone", "what must hold that long?")
		return
	}

	// Beside a figure for has a meaning, and a figure that decides over life must have one.
	for _, one := range written {
		if !one.lasting {
			return
		}
	}
	for _, one := range written {
		c.add(where+"."+one.key, fmt.Sprintf("%s with for: %v", one.text, cond.For), one.key+" already lasts; remove for")
	}
}
