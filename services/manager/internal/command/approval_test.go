package command

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/approval"
	"gestor.local/manager/internal/policyfile"
	"gestor.local/manager/internal/rules"
)

// planOf is what policy-plan --sizes --json prints of a policy that owns one container.
func planOf(t *testing.T, text string, change func(*approval.Review)) string {
	t.Helper()
	d, err := policyfile.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	hash := d.V2.Hash()
	r := approval.Review{
		Plan: rules.Plan{V: rules.PlanVersion, PolicyHash: hash, Own: 1, Living: 1}, Path: "/etc/gestor/policy.yaml", At: time.Now(), Containers: 3,
		OwnContainers: []approval.OwnContainer{{ID: "a", Name: "web-1", Image: "acme/web", State: "running"}},
		Manager:       &approval.Manager{Status: "ready", Policy: hash, Snapshots: 7},
	}
	if change != nil {
		change(&r)
	}
	out, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestApproval(t *testing.T) {
	changed := strings.Replace(others, "processes: 500", "processes: 400", 1)
	inFolder(t, map[string]string{
		"policy.yaml": others, "changed.yaml": changed, "gestors.yaml": gestors, "nobodys.yaml": nobodys, "bad.yaml": "version: 2\nrule: []\n",
		"one.yaml": "version: 1\n",
	})
	plan := planOf(t, others, nil)
	gated := planOf(t, others, func(r *approval.Review) { r.Manager.Gates = []string{"journal"} })
	of := func(args ...string) []string { return append(args, "policy.yaml") }

	for _, test := range []struct {
		args  []string
		input string
		code  int
		says  string // on the standard output where the code is 0 or 10, else on the other
	}{
		{of("--who", "ana", "--own-count", "1"), plan, 0, `"own_count": 1`},
		{of("--who", "ana", "--own-count", "2"), plan, 1, "2 is not the number of own containers, which is 1"},
		{of("--who", "ana"), plan, 1, "-1 is not the number"},
		{of("--own-count", "1"), plan, 1, "next: --who NAME"},
		{[]string{"--who", "ana", "--own-count", "1", "changed.yaml"}, plan, 1, "the plan is of policy "},
		{[]string{"--who", "ana", "--own-count", "1", "gestors.yaml"}, plan, 1, "needs no approval"},
		{[]string{"--who", "ana", "--own-count", "1", "one.yaml"}, plan, 1, "of version 1"},
		{of("--who", "ana", "--own-count", "1"), gated, 1, "closed: journal"},
		{of("--who", "ana", "--own-count", "1"), "", 1, "there is no plan"},

		{of("--show"), plan, 0, "1 of 3 containers of this host is own:"},
		{of("--show"), gated, 1, "closed: journal"},
		{[]string{"--show", "changed.yaml"}, plan, 1, "the plan is of policy "},

		{of("--needed"), "", 10, "It needs approval"},
		{[]string{"--needed", "gestors.yaml"}, "", 0, "It needs no approval: it touches nothing but what Gestor started."},
		{[]string{"--needed", "nobodys.yaml"}, "", 0, "It needs no approval: it owns nothing."},
		{[]string{"--needed", "one.yaml"}, "", 0, "It is of version 1, and needs no approval."},

		{[]string{"bad.yaml"}, plan, 2, "rule: "},
		{[]string{"none.yaml"}, plan, 2, "none.yaml"},
		{nil, plan, 2, "which file?"},
		{of("x"), plan, 2, "one argument too many"},
		{[]string{"--help"}, "", 0, "make approve"},
	} {
		code, out, errs := call(Approval(Defaults{Input: strings.NewReader(test.input)}), test.args...)
		said := errs
		if test.code%10 == 0 {
			said = out
		}
		if code != test.code || !strings.Contains(said, test.says) {
			t.Errorf("%q: %d %s%s", test.args, code, out, errs)
		}
		if code == 1 && out != "" {
			t.Errorf("%q: refused, and printed %s", test.args, out)
		}
	}

	if code, out, errs := call(Approval(Defaults{Policy: "gestors.yaml"}), "--needed"); code != 0 || !strings.Contains(out, "gestors.yaml") {
		t.Errorf("the setting's file: %d %s%s", code, out, errs)
	}
}

// What approval prints approves the file's policy, and check-policy says so; of another policy it says both hashes and what differs.
func TestApprovalIsTakenByCheckPolicy(t *testing.T) {
	inFolder(t, map[string]string{"policy.yaml": others})
	_, document, _ := call(Approval(Defaults{Input: strings.NewReader(planOf(t, others, nil))}), "--who", "ana@host", "--own-count", "1", "policy.yaml")
	if err := os.WriteFile("approved.json", []byte(document), 0o644); err != nil {
		t.Fatal(err)
	}
	approved, err := policy2.ParseApproved([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	if _, out, _ := call(CheckPolicy(Defaults{}), "policy.yaml"); !strings.Contains(out, "# It is approved: by ana@host on ") {
		t.Errorf("%s", out)
	}
	if code, out, _ := call(Approval(Defaults{}), "--needed", "policy.yaml"); code != 10 || !strings.Contains(out, "It is approved: by ana@host on ") {
		t.Errorf("%d %s", code, out)
	}

	changed := strings.Replace(others, "processes: 500", "processes: 400", 1)
	if err := os.WriteFile("policy.yaml", []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := policyfile.Parse([]byte(changed))
	if err != nil {
		t.Fatal(err)
	}
	_, out, _ := call(CheckPolicy(Defaults{}), "policy.yaml")
	for _, want := range []string{"hash " + d.Hash(), "hash " + approved.Hash, `rule "bombs".when.processes: approved 500, now 400`} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing: %s", want, out)
		}
	}
	if after, err := os.ReadFile("approved.json"); err != nil || string(after) != document {
		t.Errorf("check-policy wrote: %v", err)
	}
}
