// Package generator runs the real generator against a real engine: the same seed twice, kill -9 at random moments, an
// engine that refuses every third start. It needs an engine and the stress images' base; without an engine its tests are
// skipped.
package generator
