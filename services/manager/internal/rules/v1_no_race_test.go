//go:build !race

package rules_test

const defaultHistories = 10_000
