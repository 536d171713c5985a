// Package policy2 is the policy document, version 2: rules for one's own containers that can be read aloud.
//
// It holds the document ([Policy] and what it is made of), what is wrong with one ([Policy.Validate]) and what looks wrong
// ([Policy.Warnings]), each rule as one sentence ([Rule.Sentence]), and who is own and who is protected ([Policy.Owns],
// [Policy.Protects]): the one meaning of both, for whoever decides and for whoever holds the engine's socket. It imports the
// standard library and package contract alone, and knows nothing of YAML: package policyfile of the manager reads files.
package policy2
