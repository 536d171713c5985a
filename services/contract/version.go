package contract

import (
	_ "embed"
	"strings"
)

//go:embed VERSION
var versionFile string

// Version is the release that every program of the suite is of: they are built and released together. The file VERSION
// beside this one holds it; the one in the repository's root is a link to it. The kernel module, which is built without the
// rest, and the Dockerfiles, for the images' labels, repeat it, held equal by a test.
var Version = strings.TrimSpace(versionFile) //nolint:gochecknoglobals // a constant that is embedded
