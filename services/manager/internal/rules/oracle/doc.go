// Package oracle decides under policies of version 1 by code of its own: the code that did so before package rules could. Tests hold
// the rules against it, and nothing else imports it.
//
// [Decide] is a pure function of the policy, the population (what was measured), the inventory (who is who) and the
// context that the manager keeps. It reads no clock, draws no random number, uses integers only and does not depend on the order of
// its inputs, so that the same inputs give the same bytes on any machine: a recorded decision can be made again.
//
// Promises, each held by a property test: nothing that is unowned, protected, unmeasured or of unknown class is ever
// chosen; young containers only under the hard rule of [contract.Young]; no class is taken under its number; the caps
// hold; a plan that was carried out is followed by an empty one; every container of the tick gets a verdict.
package oracle
