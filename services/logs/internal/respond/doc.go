// Package respond holds what the handlers of the API and of the pages have in common: answers, problem details, query
// parameters, and bounds on how many requests do one thing at a time.
//
// Every error is a problem detail (RFC 9457).
package respond
