// Package journal keeps the manager's decisions and deeds on its own disk: the inputs and the plan of each tick, the
// intent of each action before the engine is called, its outcome after.
//
// Promises:
//   - an intent is on stable storage when [Journal.Intent] returns; without that answer nobody may act;
//   - a torn tail (power cut, kill -9 in the middle of a write) is copied aside, cut off and reported, never fatal;
//   - the size is bounded; what is still open when its segment is left behind is written again at the head of the next
//     one, so that an open intent cannot be rotated away and recovery has to read one segment only;
//   - a failed fsync is final ([ErrFailed]): what the kernel dropped cannot be written again on the same descriptor.
//
// On disk: <first seq>.ndjson is written to, <first seq>.ndjson.gz are sealed, torn-*.ndjson are tails that were cut
// off, LOCK keeps a second manager away. One entry a line; jq and zcat read them. Methods may be called concurrently.
package journal
