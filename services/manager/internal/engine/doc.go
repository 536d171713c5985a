// Package engine is the only part of the manager that speaks to the Docker Engine. Everything else sees the few
// operations of [Client] and the kinds of [Error]; no type of the Docker client leaves this package.
//
// Reading operations (List, Inspect, Name) change nothing. Kill, Stop, Remove, Delete and SetCPU are the only mutating ones,
// and each takes a full id: the engine would also resolve a name or a prefix, and hit the wrong container.
package engine
