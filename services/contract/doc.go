// Package contract holds every type that crosses a boundary of Gestor: the snapshot that the kernel module writes and
// the manager reads, the policy, the plan, the record that producers send and the log service keeps, and the names and
// limits of the HTTP API.
//
// It imports the standard library only and does no I/O. Parsers are strict (duplicate keys, missing required fields,
// invalid UTF-8 and trailing bytes are errors) and forward compatible (an unknown field of a known version is ignored).
// Validators report every problem at once as [Problems].
//
// Within one version a document only ever gains optional fields. testdata/v1 holds golden documents that are never
// edited once released.
package contract
