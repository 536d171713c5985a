package ship

import "slices"

// item is one undelivered record and where it lies.
type item struct {
	stream  *stream
	segment *segment
	entry
}

// merge walks the undelivered records of two streams in order of pseq.
func merge(a, b *stream) func() (item, bool) {
	left, right := walk(a), walk(b)

	return func() (item, bool) {
		switch {
		case left.end() && right.end():
			return item{}, false
		case right.end() || (!left.end() && left.item().pseq < right.item().pseq):
			return left.next(), true
		default:
			return right.next(), true
		}
	}
}

// walker is a position in a stream.
type walker struct {
	stream   *stream
	segments []*segment
	i        int
}

func walk(st *stream) *walker {
	w := &walker{stream: st, segments: slices.Clone(st.segments)}
	w.skip()
	return w
}

func (w *walker) skip() {
	for len(w.segments) > 0 && w.i >= len(w.segments[0].entries) {
		w.segments, w.i = w.segments[1:], 0
	}
}

func (w *walker) end() bool { return len(w.segments) == 0 }

func (w *walker) item() item { return item{w.stream, w.segments[0], w.segments[0].entries[w.i]} }

func (w *walker) next() item {
	it := w.item()
	w.i++
	w.skip()
	return it
}
