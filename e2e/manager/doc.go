// Package manager holds tests of the manager's hands against the real engine: the manager's own binary, without the rest
// of the suite, and containers of a tiny image made here. Every test owns its containers by a suite label of its own, so
// that it neither sees nor touches those of others.
package manager
