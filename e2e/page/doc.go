// Package page looks at the page in Chromium: that of a real log service with the records of a simulated run in its own
// tests, and that of a running suite with [CheckRunning].
package page
