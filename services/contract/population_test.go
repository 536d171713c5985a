package contract

import "testing"

func TestOwned(t *testing.T) {
	tests := []struct {
		name   string
		labels map[string]string
		suite  string
		want   bool
	}{
		{"no labels", nil, "", false},
		{"managed", map[string]string{LabelManaged: "true"}, "", true},
		{"managed says something else", map[string]string{LabelManaged: "yes"}, "", false},
		{"part of a suite", map[string]string{LabelManaged: "true", LabelRole: "logs", LabelConfigHash: "1", LabelProject: "b"}, "", false},
		{"part of the suite", map[string]string{LabelManaged: "true", LabelSuite: "a", LabelRole: "logs", LabelConfigHash: "1", LabelProject: "a"}, "a", false},
		{"a role that anybody may write", map[string]string{LabelManaged: "true", LabelRole: "logs"}, "", true},
		{"a role and the project of an image that compose built", map[string]string{LabelManaged: "true", LabelSuite: "a", LabelRole: "logs", LabelProject: "a"}, "a", true},
		{"a role in another project", map[string]string{LabelManaged: "true", LabelSuite: "a", LabelRole: "logs", LabelConfigHash: "1", LabelProject: "b"}, "a", true},
		{"of this suite", map[string]string{LabelManaged: "true", LabelSuite: "a"}, "a", true},
		{"of another suite", map[string]string{LabelManaged: "true", LabelSuite: "b"}, "a", false},
		{"of no suite", map[string]string{LabelManaged: "true"}, "a", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Owned(tt.labels, tt.suite); got != tt.want {
				t.Errorf("Owned(%v, %q) = %t", tt.labels, tt.suite, got)
			}
		})
	}
}
