// Package manager holds tests of what the manager does to containers, against the real engine: the manager's own binary,
// without the rest of the suite, and containers of a tiny image made here. Every test owns its containers by a suite label of
// its own, so that it neither sees nor touches those of others. The cases that every engine has to pass are functions of a
// suite; package engines runs them on others.
package manager
