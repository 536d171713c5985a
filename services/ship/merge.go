package ship

import "slices"

// merge walks the undelivered records of two streams in order of pseq.
func merge(a, b *stream) func() (*segment, entry, bool) {
	left, right := walk(a), walk(b)
	return func() (*segment, entry, bool) {
		switch {
		case left.end() && right.end():
			return nil, entry{}, false
		case right.end() || (!left.end() && left.entry().pseq < right.entry().pseq):
			return left.take()
		default:
			return right.take()
		}
	}
}

// walker is a position in a stream.
type walker struct {
	segments []*segment
	i        int
}

func walk(st *stream) *walker {
	w := &walker{segments: slices.Clone(st.segments)}
	w.skip()
	return w
}

func (w *walker) skip() {
	for len(w.segments) > 0 && w.i >= len(w.segments[0].entries) {
		w.segments, w.i = w.segments[1:], 0
	}
}

func (w *walker) end() bool    { return len(w.segments) == 0 }
func (w *walker) entry() entry { return w.segments[0].entries[w.i] }

func (w *walker) take() (*segment, entry, bool) {
	seg, e := w.segments[0], w.entry()
	w.i++
	w.skip()
	return seg, e, true
}
