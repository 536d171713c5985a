package policyfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"gestor.local/contract/policy2"
)

// approvedName is the document of an approval, beside the policy.
const approvedName = "approved.json"

// ApprovedPath is where the approval of the policy at path is: "", nowhere, for that of no file.
func ApprovedPath(path string) string {
	if path == "" {
		return ""
	}
	return filepath.Join(filepath.Dir(path), approvedName)
}

// LoadApproved reads the document of an approval; nil without an error when there is none, and for "". A document that cannot be read
// approves nothing.
func LoadApproved(path string) (*policy2.Approved, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // none is no error
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // none is no error
	}
	if err != nil {
		return nil, fmt.Errorf("%s approves nothing: %w", path, readable(err))
	}
	defer f.Close()

	text, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s approves nothing: %w", path, err)
	}
	approved, err := policy2.ParseApproved(text)
	if err != nil {
		return nil, fmt.Errorf("%s approves nothing: %w", path, err)
	}
	return &approved, nil
}
