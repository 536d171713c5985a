package actuator

import "slices"

// Queue holds the orders of a plan until those that have to go first have ended. The zero value is empty. It is for one goroutine.
type Queue struct {
	waiting  []StepOrder
	underway map[string]bool
}

// Add puts orders at the end.
func (q *Queue) Add(orders ...StepOrder) { q.waiting = append(q.waiting, orders...) }

// Next takes the first order that waits for nobody; ok is false where there is none. It is under way until Ended.
//
// Where all wait for each other, as orders of several plans may, the first goes: its last look finds whether it is needed.
func (q *Queue) Next() (o StepOrder, ok bool) {
	i := slices.IndexFunc(q.waiting, func(o StepOrder) bool { return !slices.ContainsFunc(o.After, q.isOpen) })

	if i < 0 && len(q.underway) == 0 && len(q.waiting) > 0 {
		i = 0
	}
	if i < 0 {
		return StepOrder{}, false
	}

	o = q.waiting[i]
	q.waiting = slices.Delete(q.waiting, i, i+1)
	if q.underway == nil {
		q.underway = make(map[string]bool)
	}
	q.underway[o.ID] = true
	return o, true
}

// isOpen says that an order of the container waits or is under way.
func (q *Queue) isOpen(id string) bool {
	return q.underway[id] || slices.ContainsFunc(q.waiting, func(o StepOrder) bool { return o.ID == id })
}

// Ended says that the outcome of the container's order is known, whatever it is: those that wait for it find at their last look
// whether it still needs them.
func (q *Queue) Ended(id string) { delete(q.underway, id) }

// Drop empties the queue of all that is not under way, and gives it to be closed.
func (q *Queue) Drop() []StepOrder {
	dropped := q.waiting
	q.waiting = nil
	return dropped
}
