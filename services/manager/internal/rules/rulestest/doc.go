// Package rulestest is a simulated host, on which a policy is carried out from outside: through rules.Decide and
// rules.Remember alone, with facts as a manager would have read them. Its clock is moved by hand, its containers do what they
// are told to, its engine carries out what a plan says, and everything that was done stands in a log.
//
// Times are distances from a moment T that a test chooses; what was before it is negative. Nothing depends on the clock of the
// machine, and equal worlds have equal histories.
package rulestest
