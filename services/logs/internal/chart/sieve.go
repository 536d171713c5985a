package chart

import (
	"fmt"
	"strings"

	"gestor.local/contract"
)

// sieve picks the sums of a selection. It remembers the images of which it cannot tell whether they belong to it.
type sieve struct {
	q        Query
	unplaced map[string]bool
}

func newSieve(q Query) *sieve { return &sieve{q: q, unplaced: map[string]bool{}} }

// image says whether a sum is of an image of the selection. Under a selection by class an image whose class is not known
// is left out, also when the unknown are selected: its containers may have had any class.
func (s *sieve) image(sum Sum) bool {
	class := classOfImage(sum.Key)
	if sum.By != byImage || !s.q.holdsImage(sum.Key) {
		return false
	}
	if len(s.q.Classes) > 0 && class == contract.ClassUnknown {
		s.unplaced[sum.Key] = true
		return false
	}
	return s.q.wants(contract.Subject{Image: sum.Key, Class: class})
}

// class says whether a sum is of a class of the selection. Sums of classes do not know images.
func (s *sieve) class(sum Sum) bool {
	return sum.By == byClass && s.q.wants(contract.Subject{Class: contract.Class(sum.Key)})
}

// event is for sums that stand under classes and images alike: under images when the selection names some.
func (s *sieve) event(sum Sum) bool {
	if len(s.q.Images) > 0 {
		return s.image(sum)
	}
	return s.class(sum)
}

// maxUnplaced is how many images a note names: the others are counted.
const maxUnplaced = 5

// notes name the images that were left out.
func (s *sieve) notes() []string {
	if len(s.unplaced) == 0 {
		return nil
	}
	names := sortedKeys(s.unplaced)
	text := strings.Join(names[:min(maxUnplaced, len(names))], ", ")
	if more := len(names) - maxUnplaced; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return []string{sumsOnly("they do not tell the class of an image. Left out, because the default policy does not name them: " + text + ".")}
}
