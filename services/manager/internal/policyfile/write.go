package policyfile

import (
	"fmt"

	"github.com/goccy/go-yaml"

	"gestor.local/contract"
)

// Format writes the whole policy, defaults included, in a form that Parse reads back to the same policy.
func Format(p contract.Policy) ([]byte, error) {
	text, err := yaml.MarshalWithOptions(p, yaml.IndentSequence(true))
	if err != nil {
		return nil, fmt.Errorf("format policy: %w", err)
	}
	return text, nil
}
