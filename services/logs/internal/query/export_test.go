package query

// ReadAtMost makes an engine refuse questions that would read more than n records.
func (e *Engine) ReadAtMost(n int) *Engine {
	e.maxRead = n
	return e
}
