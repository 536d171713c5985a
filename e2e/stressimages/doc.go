// Package stressimages measures on a real engine what the stress images promise in stress-images/README.md, and looks at
// the bounds that scripts/launch-container.sh gives to every container. It needs an engine and root; without them its
// tests are skipped.
package stressimages
