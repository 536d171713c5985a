// Package rules decides what becomes of the own containers under a policy of version 2: the pure heart of the manager. It reads
// no clock, draws no number and calls nobody; the order of what it is given does not matter, and equal inputs give equal plans.
//
// A tick goes like this:
//
//	plan := rules.Decide(program, memory, &facts)                        // as often as the facts change (the second look)
//	memory = rules.Remember(program, memory, &facts, plan, nil)          // once, with the plan that counts
//	memory = rules.Remember(program, memory, nil, rules.Plan{}, events)  // whenever something happened to a step
//
// A policy of version 1 is a special case: [Compile] makes its program, and [DecideV1] a plan of version 1, the same byte for byte as
// ever (package oracle is what the tests hold it against). In between, [FactsOfV1] and [MemoryOfV1] make what the program reads, anew on
// each tick: nothing of version 1 goes through Remember.
//
// At the end of the suite [Orphans] and [OrphansV1] plan the removal of what has lost its generator.
//
// A [Program] is a compiled policy, which keeps what it found out about each [policy2.Identity]; it is for one goroutine at a
// time. [Memory] and [Plan] are values that JSON carries.
package rules
