// Package store holds tests of the real log service: killed under load, on a full disk, with many connections, in
// little memory, and in a virtual machine whose power is cut.
package store
