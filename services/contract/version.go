package contract

import (
	_ "embed"
	"strings"
)

//go:embed VERSION
var versionFile string

// Version is the release that every program of the suite is of: they are built and released together. The file VERSION
// beside this one is the only place that holds it; the one in the repository's root is a link to it, and services/Dockerfile
// repeats it for the images' label, held equal by a test.
var Version = strings.TrimSpace(versionFile) //nolint:gochecknoglobals // a constant that is embedded
