package policy2

import "testing"

func TestDefaultIsValid(t *testing.T) {
	if problems := Default().Validate(); problems != nil {
		t.Fatal(problems)
	}
}
