// Package govern is the manager's loop: on every point of a fixed grid it observes the host, asks the policy, writes
// down what it is going to do, does it and writes down what came of it.
//
// # One tick
//
//	observe ─► gates ─► inventory ─► join … caps (policy.Decide) ─► journal (fsync) ─► act ─► verify ─► record
//	   │         │           │                                          │
//	   └─────────┴───────────┴── any doubt: observe only, named ────────┘
//
// # Promises
//
//   - No container is touched that was not chosen by a plan of a tick without a failing gate, whose intent was not on
//     stable storage first, or that the last look found changed.
//   - The loop waits for the engine only while it lists and inspects, each under a time-out. What acts on containers runs
//     beside it; victims in flight are leaving until their fate is known.
//   - What is done is written into the journal first and recorded then, under the journal's number: a run that follows a
//     crash records what is missing, and closes what is open before its first tick.
//   - A late tick is skipped and counted, never doubled.
//
// # Concurrency
//
// One goroutine, the one that called [Governor.Run], owns all state. Actions run in goroutines of their own, bounded by
// the policy, and send their results back. Everything that leaves the loop ([Report], [ActionResult]) is a value that nobody
// changes any more.
package govern
