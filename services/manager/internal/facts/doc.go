// Package facts makes the facts of one tick out of what was read: the snapshot and the population that was made of it, the
// engine's list, its inspections, the network counters and the clocks.
//
// A tick asks a [Builder] in this order: [Builder.Observe] for whom to inspect, [Inspect] for the inspections, which
// [Builder.Inspected] takes in, [Builder.Counted] for whose network to count, and [Builder.Facts]. But for Inspect nothing here
// reads a clock, the engine or a file; the same answers give the same facts.
//
// What could not be had is unknown, and never a zero. Of an inspection nothing is kept that a rule does not read: no
// environment, no command, no path of a mount.
package facts
