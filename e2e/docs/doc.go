// Package docs runs the examples of the repository's pages as a reader does: from the root of a clone beside a running
// suite, with nothing on the PATH but what the system has.
package docs
