//go:build race

package rules_test

// The race detector makes everything ten times as slow.
const defaultHistories = 200
