// Package draw makes the generator's choices: pure functions of a seed, the name of a dimension ("image", "lifetime",
// "arrival", "name") and a position in the plan. Every choice stands alone, so that a new dimension, another interval or
// a longer plan changes no other choice.
//
// Algorithm "sha256-ctr/1": the n-th 64-bit word (n from 0) of a choice is the big-endian number in the first eight
// bytes of
//
//	SHA-256("gestor-draw/1" 00 dimension 00 seed position n)
//
// with seed, position and n as eight big-endian bytes. Everything after that is integer arithmetic. The same seed
// therefore gives the same choices on every machine, with every version of Go, and in any other language.
package draw

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"time"
)

// Algorithm names the way the choices are made; it changes when any choice does.
const Algorithm = "sha256-ctr/1"

// Source makes the words of one choice. The zero value is not usable: see At.
type Source struct {
	message []byte // the hashed text, its last eight bytes are n
	n       uint64
}

// At returns the source of one choice.
func At(seed uint64, dimension string, position uint64) *Source {
	m := append([]byte("gestor-draw/1\x00"), dimension...)
	m = append(m, 0)
	m = binary.BigEndian.AppendUint64(m, seed)
	m = binary.BigEndian.AppendUint64(m, position)
	return &Source{message: append(m, make([]byte, 8)...)}
}

// Uint64 returns the next word.
func (s *Source) Uint64() uint64 {
	binary.BigEndian.PutUint64(s.message[len(s.message)-8:], s.n)
	s.n++
	sum := sha256.Sum256(s.message)
	return binary.BigEndian.Uint64(sum[:8])
}

// Below returns a number under n, each with the same probability: the high word of word × n, words that would favour
// some numbers being passed over (Lemire, "Fast random integer generation in an interval", 2019). n must not be 0.
func (s *Source) Below(n uint64) uint64 {
	threshold := -n % n
	for {
		if high, low := bits.Mul64(s.Uint64(), n); low >= threshold {
			return high
		}
	}
}

// Between returns a duration from low to high, both possible, in microseconds. high must not be under low.
func (s *Source) Between(low, high time.Duration) time.Duration {
	steps := uint64(high.Microseconds()-low.Microseconds()) + 1
	return low.Truncate(time.Microsecond) + time.Duration(s.Below(steps))*time.Microsecond
}

// Weighted returns an index into weights, each with a probability in proportion to its weight. The sum of the weights
// must not be 0.
func (s *Source) Weighted(weights []uint64) int {
	sum := uint64(0)
	for _, w := range weights {
		sum += w
	}

	rest := s.Below(sum)
	i := 0
	for rest >= weights[i] { // rest is under the sum, so that this ends before the weights do
		rest -= weights[i]
		i++
	}
	return i
}

// Exponential returns a duration of the exponential distribution with the given mean: -ln(u) × mean drawn evenly from (0, 1].
// The logarithm is computed with integers, since the last digits of floating-point ones differ from machine to machine.
// The mean must be under 48 hours.
func (s *Source) Exponential(mean time.Duration) time.Duration {
	const ln2 = 2977044472 // ln 2 × 2^32, rounded

	// -log2(u) for u = word/2^64, word 0 being taken as 1; 32 bits after the point.
	minusLog2 := uint64(64)<<32 - log2(max(s.Uint64(), 1))

	high, low := bits.Mul64(minusLog2, ln2)
	nats := high<<32 | low>>32 // 32 bits after the point
	high, low = bits.Mul64(nats, uint64(mean))
	return time.Duration(high<<32 | low>>32)
}

// log2 of a word, rounded down, with 32 bits after the point: the mantissa is squared once for each bit.
func log2(word uint64) uint64 {
	exponent := uint64(bits.Len64(word) - 1)
	mantissa := word << (63 - exponent) // from 1 to under 2, 63 bits after the point

	fraction := uint64(0)

	for range 32 {
		high, _ := bits.Mul64(mantissa, mantissa) // 62 bits after the point
		fraction <<= 1
		if high>>63 == 1 { // 2 or more
			fraction |= 1
			mantissa = high
		} else {
			mantissa = high << 1
		}
	}
	return exponent<<32 | fraction
}
