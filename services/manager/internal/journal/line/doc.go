// Package line writes and reads the lines of the journal's version 2: what of the facts has changed on a tick, what the verdicts
// on them are, and the checksum that ends every line. It does no I/O.
//
// A line is one JSON object, {"v":2,"seq":N,…,"crc":"9f2c01ab"}: the checksum is the CRC-32C of everything before its comma, in
// hexadecimal. Who numbers lines, dates them and puts them into files is the caller's.
//
// Facts are written as changes. Every container has a small number n for as long as a segment lasts; it is born with all that is
// known of it, and has a row afterwards on ticks on which something changed, with the changed keys alone. A key that is null is
// a fact that is unknown, which is not the same as 0; one that is not there is as it was. What follows from the line before is
// not written either:
//   - cpu_total_us has grown by cpu_us, where both are known;
//   - net_age_us, how long before the tick the network was read, is as it was.
//
// Of labels all keys are written; the values only of those that say who manages a container, and of those that the policy
// names. A value that is withheld is null.
package line
