package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"gestor.local/wal/disk"
)

// format is the version of the files that this package reads and writes.
const format = 1

// ErrFormat says that a later version of the log service has written the files.
var ErrFormat = errors.New("the records are in a later format")

// manifestName is a file of a later version, one JSON object a line, of which some name the format.
const manifestName = "MANIFEST"

// checkFormat refuses records that a later version has written: this one would not see some of the files, and give their
// numbers again. This version writes no manifest; of one that cannot be read nothing is known, and a condition says so.
func (s *Store) checkFormat() error {
	text, err := disk.ReadFile(s.fs, s.cfg.Dir+"/records/"+manifestName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		s.condition.set(conditionDamaged, fmt.Sprintf("records/%s cannot be read: %v", manifestName, err))
		return nil
	}

	for one := range bytes.Lines(text) {
		var entry struct {
			Format int `json:"format"`
		}
		if json.Unmarshal(one, &entry) == nil && entry.Format > format {
			return fmt.Errorf("%w: records/%s names format %d and this log service knows %d: start the version that wrote it, or "+
				"choose another GESTOR_DATA", ErrFormat, manifestName, entry.Format, format)
		}
	}
	return nil
}
