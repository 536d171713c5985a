package actuator

import (
	"cmp"
	"slices"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/rules"
)

// Decided is a plan of version 2 with what it was made from.
type Decided struct {
	Program *rules.Program
	Facts   *rules.Facts
	Memory  *rules.Memory
	Plan    *rules.Plan
	// Owed are the limits that a throttle has changed and that were not given back, by container id.
	Owed map[string]Limits

	modes map[string]string // once it was asked for
}

// Orders lists what is to be carried out of the plan, in its order: nothing of it that is held. The caller gives each its ActionID.
func (d *Decided) Orders() []StepOrder {
	containers := make(map[string]*rules.Container, len(d.Facts.Containers))
	for i := range d.Facts.Containers {
		c := &d.Facts.Containers[i]
		containers[c.ID] = c
	}

	modes := d.networkModes()

	var orders []StepOrder
	for i := range d.Plan.Verdicts {
		v := &d.Plan.Verdicts[i]
		if c := containers[v.ID]; c != nil && ends(v.Step) && d.Plan.CarriesOut(v.Step) {
			o := d.order(c, v.Rule, v.Step, v.StepIndex, v.StartedAt)
			o.After, o.Circle, o.NetworkModes, o.Floor = v.After, v.Circle, modes, d.floor(v)
			orders = append(orders, o)
		}
	}
	for _, t := range d.Plan.Throttles() {
		if c := containers[t.ID]; c != nil && d.Plan.CarriesOut(policy2.StepThrottle) {
			o := d.order(c, t.Rule, policy2.StepThrottle, t.StepIndex, t.StartedAt)
			o.NanoCPUs = t.NanoCPUs
			if owed, ok := d.Owed[t.ID]; ok {
				o.Replaces = &owed
			}
			orders = append(orders, o)
		}
	}
	return orders
}

// Again is the order to finish a stop or a removal that was begun, on the start and under the rule of then; ok is false where the plan
// does not know the container or the policy the rule any more, or nothing of the plan is carried out.
func (d *Decided) Again(id string, step policy2.Step, rule string, index int, startedAt string) (o StepOrder, ok bool) {
	i, known := slices.BinarySearchFunc(d.Facts.Containers, id, func(c rules.Container, id string) int { return cmp.Compare(c.ID, id) })
	at := slices.IndexFunc(d.Plan.Rules, func(r rules.RuleCount) bool { return r.Hash == rule })
	if !known || rule != "" && at < 0 || !d.Plan.CarriesOut(step) {
		return StepOrder{}, false
	}
	o = d.order(&d.Facts.Containers[i], at, step, index, startedAt)
	o.NetworkModes = d.networkModes()
	return o, true
}

// networkModes are those of the host's containers by id, as far as they are known.
func (d *Decided) networkModes() map[string]string {
	if d.modes != nil {
		return d.modes
	}

	d.modes = make(map[string]string, len(d.Facts.Containers))
	for i := range d.Facts.Containers {
		if c := &d.Facts.Containers[i]; c.NetworkMode.Known {
			d.modes[c.ID] = c.NetworkMode.Value
		}
	}
	return d.modes
}

func ends(s policy2.Step) bool { return s == policy2.StepStop || s == policy2.StepRemove }

// order is what all steps have in common. rule is -1 for a young one, which no rule asks for.
func (d *Decided) order(c *rules.Container, rule int, step policy2.Step, index int, startedAt string) StepOrder {
	p := d.Program.Policy()
	o := StepOrder{
		Tick: d.Plan.Tick, Sequence: d.Plan.Sequence, ID: c.ID, Name: c.Name, PastNames: d.names(c), Step: step, StepIndex: index,
		InForce: InForce{PolicyHash: d.Plan.PolicyHash, Mode: d.Plan.Mode, ApprovedWallUS: d.Facts.InForce.ApprovedWallUS},
		Act:     p.Act, StartedAt: startedAt, Labels: map[string]string{contract.LabelClass: c.Labels[contract.LabelClass]},
		MayDelete: true, AutoRemove: c.AutoRemove.Value, AnonymousVolumes: c.AnonymousVolumes.Value,
	}
	if rule < 0 {
		return o
	}

	r := &p.Rules[rule]
	steps, conditions := r.Do, r.When
	if !r.Keep.IsZero() {
		steps, conditions = r.Rest, r.RestWhen
	}
	o.RuleHash, o.Volumes = d.Program.RuleHash(rule), r.Volumes == policy2.VolumesAnonymous
	o.MayDelete = steps.Has(policy2.StepRemove) || r.Rm == policy2.RmRemove
	if conditions.Restarts != (policy2.Restarts{}) && c.Restarts.Known {
		o.Restarts = &c.Restarts.Value
	}

	// A group is what a label says, unless it is the image, which stays as it is for life.
	switch r.Keep.Per.By {
	case policy2.ByLabel:
		o.Labels[r.Keep.Per.Label] = c.Labels[r.Keep.Per.Label]
	case policy2.ByProject:
		o.Labels[contract.LabelProject] = c.Labels[contract.LabelProject]
	}
	return o
}

// names are all that the container had here.
func (d *Decided) names(c *rules.Container) []string {
	names := slices.Clone(c.PastNames)
	i, ok := slices.BinarySearchFunc(d.Memory.Containers, c.ID, func(m rules.ContainerMemory, id string) int {
		return cmp.Compare(m.ID, id)
	})
	if ok {
		names = append(names, d.Memory.Containers[i].Names...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// floor is who has to go on running when one without a place goes: those of its group that hold one.
func (d *Decided) floor(v *rules.Verdict) Floor {
	if v.Rule < 0 || d.Program.Policy().Rules[v.Rule].Keep.IsZero() {
		return Floor{}
	}

	units := map[string][]string{}
	var order []string
	for i := range d.Plan.Verdicts {
		other := &d.Plan.Verdicts[i]
		if other.Rule != v.Rule || other.Group != v.Group || other.Reason != contract.ReasonWithinQuota {
			continue
		}
		unit := other.ID
		if d.Program.Policy().Rules[v.Rule].Each == policy2.EachProject && other.Project != "" {
			unit = "project " + other.Project
		}
		if units[unit] == nil {
			order = append(order, unit)
		}
		units[unit] = append(units[unit], other.ID)
	}

	f := Floor{Need: min(v.Cut, len(order))}
	for _, unit := range order {
		f.Keepers = append(f.Keepers, units[unit])
	}
	return f
}
