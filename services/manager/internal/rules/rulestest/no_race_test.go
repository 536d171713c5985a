//go:build !race

package rulestest_test

// isRace says that the race detector makes everything ten times as slow.
const isRace = false
