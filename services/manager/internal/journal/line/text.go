package line

import (
	"encoding/json"
	"strconv"

	"gestor.local/contract/policy2"
)

// specialBytes has a 1 for every byte that does not stand in a JSON string as it is, or not always.
const specialBytes = "" +
	"\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01" +
	"\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01" +
	"\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
	"\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01" +
	"\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01" +
	"\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01" +
	"\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01" +
	"\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01" +
	"\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01" +
	"\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01" +
	"\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"

// appendText writes a string as encoding/json does. Nearly all are plain: the others may allocate.
func appendText(to []byte, s string) []byte {
	special := byte(0)
	for i := range len(s) { // without a branch: a plan is 300 kB of them
		special |= specialBytes[s[i]]
	}

	if special != 0 {
		text, err := json.Marshal(s)
		if err != nil {
			return append(to, `""`...) // no string fails
		}
		return append(to, text...)
	}

	to = append(to, '"')
	to = append(to, s...)
	return append(to, '"')
}

// appendTexts writes a list of strings.
func appendTexts(to []byte, list []string) []byte {
	to = append(to, '[')
	for i, s := range list {
		if i > 0 {
			to = append(to, ',')
		}
		to = appendText(to, s)
	}
	return append(to, ']')
}

func appendInt[N ~int | ~int64](to []byte, n N) []byte { return strconv.AppendInt(to, int64(n), 10) }

func appendUint(to []byte, n uint64) []byte { return strconv.AppendUint(to, n, 10) }

func appendBool(to []byte, b bool) []byte { return strconv.AppendBool(to, b) }

// appendFact writes a fact, null where it is unknown.
func appendFact[T any](to []byte, f policy2.Fact[T], write func([]byte, T) []byte) []byte {
	if !f.Known {
		return append(to, "null"...)
	}
	return write(to, f.Value)
}
