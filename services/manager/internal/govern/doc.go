// Package govern is the manager's loop: on every point of a fixed schedule it observes the host, asks the policy,
// writes down what it is going to do, does it and writes down what came of it.
//
// # Parts
//
//	                   Governor (loop.go, schedule.go)
//	     policy in force, number of the tick, order of the steps
//	    ┌────────────────────┼────────────────────┐
//	observer              decider              executor
//	what is on            what the policy      what is in flight,
//	the host              says of it           and how it ends
//	    │                    │                    │
//	    │                    └──── journaler ─────┤      what is decided and done, durable
//	    └──────────────────────── reporter ───────┘      records, conditions, sinks, log
//
// Each part owns its state and nobody else changes it. Calls go downwards; upwards there are two small interfaces only:
// [Governor] ends when the observer or the journaler says stop, and the executor says what it has removed, since the
// observer has to know who comes back, and the decider whom mode shadow has "removed".
//
// Under a policy of version 2 a rulesDecider (rules_decider.go) is asked instead of the decider, a stepExecutor (step.go) carries its
// plans out instead of the executor, and a noticer (notices.go) tells people of them. The memory of the rules is the rulesDecider's:
// it holds what stands in the journal, so that a later run reads it there. The rest of the loop works by a policy of version 1 that
// gives nobody a place (version2.go).
//
// # One tick
//
// In this order, and each step for a reason that a change of the order would break:
//
//  1. pollPolicy: a changed policy is in force from this tick on. Orders that wait are cancelled, and its first plan
//     runs in shadow. The tick takes the last point of the schedule that has come; points before it are counted as
//     skipped.
//  2. readHost: one reading of the host, compared with the last accepted one. Gates: can it be read and believed, is
//     there a rate, was it made after the last action had settled.
//  3. listInventory: the engine's containers, right after the reading, so that the two speak of the same moment.
//     Whoever is new or was started again is inspected, each row is checked to be its container's own, the suite's own
//     containers are found, and who comes back each time it is removed is counted.
//  4. checkOwnGates: outcomes that the journal has not taken are offered again first; then journal, spool and engine
//     breaker are asked whether anything may be done.
//  5. reconcile: what is in flight is compared with the inventory, before the plan is made, since the plan counts as
//     leaving what still is.
//  6. decide: the policy makes a plan of population, inventory and the manager's memory. Inputs, plan and failed gates
//     are written into the journal, also on a tick that may not act: it has to be explained too. If that fails nothing
//     is done. Without a reading or an inventory there is no plan, and only the number of the tick is written. Under
//     version 2 a plan that would end containers is made again, of another list of the engine.
//  7. execute: throttled victims that nobody wants removed any more get their limits back, whatever the gates say. On
//     a tick with a failing gate every other order that waits is cancelled. Otherwise the removals of the plan become
//     intents, durable in the journal and recorded in the spool before the first of them is given to a worker; the
//     intent of a throttle is written by its worker, with the limit that it is going to replace. Mode observe ends
//     before that.
//  8. report: conditions begin, become alarms and end; the records of the tick go to the spool; the sinks are called.
//
// Between ticks the loop takes in the results of actions, and answers who asks for a reload. What an action did is
// written into the journal, then into the spool, then passed to the sinks.
//
// Before the first tick the loop records what an earlier run left unrecorded, and verifies what it left open against
// the engine. After the last it waits for what is under way, gives limits back, removes the containers that have lost
// their generator, and offers what was not taken once more.
//
// # Promises
//
//   - No container is touched that was not chosen by a plan of a tick without a failing gate, whose intent was not on
//     stable storage first, or that the check of the preconditions found changed.
//   - The loop waits for the engine only while it lists and inspects, each under a time-out. What acts on containers runs
//     beside it; victims in flight are leaving until their fate is known.
//   - What is done is written into the journal first and recorded then, under the journal's number: a run that follows a
//     crash records what is missing, and closes what is open before its first tick.
//   - A late tick is skipped and counted, never doubled.
//
// # Concurrency
//
// One goroutine, the one that called [Governor.Run], owns the state of all parts. Actions run in goroutines of their
// own, bounded by the policy, and send their results back. Everything that leaves the loop ([Report], [ActionResult])
// is a value that nobody changes any more.
package govern
