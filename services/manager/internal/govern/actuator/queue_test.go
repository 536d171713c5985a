package actuator_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"gestor.local/manager/internal/govern/actuator"
)

func orderOf(id string, after ...string) actuator.StepOrder {
	return actuator.StepOrder{ID: id, After: after}
}

// next takes the order of the id, "" where there is none.
func next(q *actuator.Queue) string {
	o, _ := q.Next()
	return o.ID
}

func TestDependantsGoFirst(t *testing.T) {
	var q actuator.Queue
	q.Add(orderOf("db", "api", "web"), orderOf("api", "web"), orderOf("web"), orderOf("other", "not-of-this-plan"))
	if got := next(&q); got != "web" {
		t.Errorf("first %q", got)
	}
	if got := next(&q); got != "other" {
		t.Errorf("then %q", got)
	}
	if got := next(&q); got != "" {
		t.Errorf("%q goes before the outcome of web", got)
	}

	q.Ended("web")
	if got := next(&q); got != "api" {
		t.Errorf("after web %q", got)
	}
	if got := next(&q); got != "" {
		t.Errorf("%q goes before the outcome of api", got)
	}
	q.Ended("api")
	if got := next(&q); got != "db" {
		t.Errorf("at last %q", got)
	}
	if got := next(&q); got != "" {
		t.Errorf("%q is given twice", got)
	}
}

func TestACircleDoesNotWaitForEver(t *testing.T) {
	var q actuator.Queue
	q.Add(orderOf("a", "c"), orderOf("b", "a"), orderOf("c", "b"))
	var got []string
	for id := next(&q); id != ""; id = next(&q) {
		got = append(got, id)
		q.Ended(id)
	}
	if !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("%v", got)
	}
}

func TestWhatIsDroppedIsGivenToBeClosed(t *testing.T) {
	var q actuator.Queue
	q.Add(orderOf("a"), orderOf("b", "a"), orderOf("c"))
	next(&q)
	dropped := q.Drop()
	if len(dropped) != 2 || dropped[0].ID != "b" || dropped[1].ID != "c" {
		t.Errorf("%v", dropped)
	}
	if got := next(&q); got != "" {
		t.Errorf("%q after the drop", got)
	}
}

// Whatever waits for whatever: each goes once, and none before those it waits for, unless they stand in a circle.
func TestAQueueGivesEachOnceAndInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "orders")
		var orders []actuator.StepOrder
		for i := range n {
			o := orderOf(fmt.Sprint(i))
			for _, j := range rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 0, i, rapid.ID).Draw(t, "after") {
				if j < i {
					o.After = append(o.After, fmt.Sprint(j)) // no circle
				}
			}
			orders = append(orders, o)
		}

		var q actuator.Queue
		q.Add(rapid.Permutation(orders).Draw(t, "queue")...)
		ended, underway := map[string]bool{}, []string{}
		for len(ended) < n {
			if o, ok := q.Next(); ok {
				for _, first := range o.After {
					if !ended[first] {
						t.Fatalf("%s goes before %s", o.ID, first)
					}
				}
				underway = append(underway, o.ID)
				continue
			}
			if len(underway) == 0 {
				t.Fatal("all wait")
			}
			ends := rapid.SampledFrom(underway).Draw(t, "ends")
			if ended[ends] {
				t.Fatalf("%s was given twice", ends)
			}
			ended[ends] = true
			underway = slices.DeleteFunc(underway, func(id string) bool { return id == ends })
			q.Ended(ends)
		}
	})
}
