// Package ship carries records from a producer to the log service: a bounded spool of NDJSON files on the producer's
// own volume, and a client that empties it in order.
//
// # Promises
//
//   - A durable record (decision, action, launch, system) is on stable storage when Append returns nil. It is then
//     delivered or, if the log service refuses it for ever, kept in the quarantine file; it is never dropped.
//   - Observations (host, container) are written, not synced, and are the only records that are ever dropped: the
//     oldest first, when the spool is full. The number dropped is itself a record (system, spool_dropped).
//   - Delivery is at least once and in order of pseq, but for one case: while the log service has no room for
//     observations (507), events go ahead of them, still in order among themselves. A record keeps its identity (host,
//     boot, producer, pseq) however often it is sent, so the log service can tell a resend from a second record.
//   - Nothing leaves before it is on stable storage here. A pseq that any other party has seen therefore survives a
//     power cut, and no pseq is given twice.
//
// # Identity
//
// pseq is dense and continues over restarts. A spool folder that was lost would start again at 1 under the same host
// and producer; so each new spool draws 8 random hex digits that it appends to the boot id of every record
// ("<boot id>.<spool id>"). A lost folder costs the records in it and never the uniqueness of later ones.
//
// A number may be used twice all the same: an older copy of the folder is put back, or somebody else stores records under
// this identity. The log service then calls a record a duplicate that was never sent before. That is a conflict: the spool
// draws another id and sends the record again (system, identity_conflict).
//
// # Copies
//
// A copy of the folder and of the log service's records that is taken while both are in use must hold every record in one of
// the two, whichever was copied first. So files stay for a while after their records have arrived (keepArrived), and what the
// files hold is sent once more by the next process that opens them.
//
// # Files
//
//	events-<first pseq>.ndjson        decision, action, launch, system
//	observations-<first pseq>.ndjson  host, container
//	state.json                        spool id, last pseq known to be given, last pseq delivered (and of the
//	                                  events alone, while they go ahead), records that wait for a new id;
//	                                  replaced by rename
//	quarantine.ndjson                 records nobody will accept, each with the reason; bounded, one older generation;
//	                                  of a text longer than any record the beginning
//	LOCK                              held while open: one process a spool
//
// Files that are deleted or replaced while the spool is open are noticed before each step and written again from what is
// open; what cannot be read any more is reported as lost (system, spool_moved), never as delivered.
//
// Concurrency: every method of Shipper may be called from any goroutine. Run is meant to be called once.
package ship
