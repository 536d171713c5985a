package line

import (
	"bytes"
	"errors"
	"fmt"
)

// errNotWhole says that a text is no object or list as lines are written: without white space, and with plain keys.
var errNotWhole = errors.New("it is cut short, or not as lines are written")

// eachMember visits the members of an object, in their order. It says no more of a value than where it ends: whoever takes it over
// judges it.
func eachMember(text []byte, visit func(key, value []byte) error) error {
	return each(text, '{', '}', func(at int) (int, error) {
		if at >= len(text) || text[at] != '"' {
			return at, errNotWhole
		}

		end := endOfText(text, at)
		if end >= len(text) || text[end] != ':' {
			return at, errNotWhole
		}

		key, from := text[at+1:end-1], end+1
		if end = endOfValue(text, from); end <= from {
			return at, fmt.Errorf("%s: %w", key, errNotWhole)
		}
		return end, visit(key, text[from:end])
	})
}

// eachElement visits the values of a list, in their order.
func eachElement(text []byte, visit func(value []byte) error) error {
	return each(text, '[', ']', func(at int) (int, error) {
		end := endOfValue(text, at)
		if end <= at {
			return at, errNotWhole
		}
		return end, visit(text[at:end])
	})
}

// each goes over what stands between the brackets that are all of a text. one takes what begins at a place, and says where it ends.
func each(text []byte, opens, closes byte, one func(at int) (end int, err error)) error {
	last := len(text) - 1
	if last < 1 || text[0] != opens || text[last] != closes {
		return errNotWhole
	}

	for at := 1; last > 1; {
		end, err := one(at)
		switch {
		case err != nil:
			return err
		case end == last:
			return nil
		case end > last || text[end] != ',':
			return errNotWhole
		}
		at = end + 1
	}
	return nil
}

// endOfValue is where the value that begins at a place ends, that place or less where none begins, or none ends.
func endOfValue(text []byte, at int) int {
	if at >= len(text) {
		return at
	}

	switch text[at] {
	case '"':
		return endOfText(text, at)
	case '{', '[':
		return endOfBrackets(text, at)
	}

	end := at
	for end < len(text) && text[end] != ',' && text[end] != '}' && text[end] != ']' {
		end++
	}
	return end
}

// endOfText is where the text that begins with a quote ends, 0 where it does not.
func endOfText(text []byte, at int) int {
	for at++; at < len(text); at++ {
		rest := bytes.IndexByte(text[at:], '"')
		if rest < 0 {
			return 0
		}

		at += rest
		escapes := 0
		for text[at-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return at + 1
		}
	}
	return 0
}

// endOfBrackets is where the object or the list ends, 0 where it does not.
func endOfBrackets(text []byte, at int) int {
	depth := 0
	for ; at < len(text); at++ {
		switch text[at] {
		case '{', '[':
			depth++

		case '}', ']':
			if depth--; depth == 0 {
				return at + 1
			}

		case '"':
			end := endOfText(text, at)
			if end == 0 {
				return 0
			}
			at = end - 1
		}
	}
	return 0
}
