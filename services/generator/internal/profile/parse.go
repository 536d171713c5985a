package profile

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/goccy/go-yaml"
)

// Default is the profile of a run that names none.
const Default = "seed"

//go:embed profiles/*.yaml
var shipped embed.FS

// Parse reads a YAML document strictly: an unknown or repeated key is an error, and so is a second document. Whether
// the figures make sense is checked by Validate.
func Parse(text []byte) (Profile, error) {
	var p Profile
	decoder := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
	if err := decoder.Decode(&p); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the document is empty")
		}
		return p, fmt.Errorf("parse profile: %w", err)
	}

	// What follows the first document would be ignored silently.
	if err := decoder.Decode(&Profile{}); !errors.Is(err, io.EOF) {
		return p, errors.New("parse profile: more than one document")
	}
	return p, nil
}

// Load returns a shipped profile by its name, or reads one from a file when the name has a slash or a dot in it.
func Load(name string) (Profile, error) {
	if strings.ContainsAny(name, "/.") {
		text, err := os.ReadFile(name)
		if err != nil {
			return Profile{}, fmt.Errorf("read profile: %w", err)
		}
		return Parse(text)
	}

	text, err := fs.ReadFile(shipped, path.Join("profiles", name+".yaml"))
	if err != nil {
		return Profile{}, fmt.Errorf("there is no shipped profile %q (shipped: %s; a file is named by its path, such as ./mine.yaml)",
			name, strings.Join(Names(), ", "))
	}
	return Parse(text)
}

// Names lists the shipped profiles.
func Names() (names []string) {
	entries, _ := fs.ReadDir(shipped, "profiles") // embedded: cannot fail
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}
