// Package reason says the verdicts of a plan of version 1 in words, with the numbers that decided: what is recorded, explained and
// shown. It is pure.
package reason
