package approval

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"gestor.local/contract/policy2"
)

// Limits of what may be approved.
const (
	// fewestSnapshots is how many the manager must have seen: two make figures, and a third shows that they last.
	fewestSnapshots = 3
	// oldestPlan is how long a plan says what is on the host: time to read it, and not to forget it.
	oldestPlan = time.Hour
)

// Check says why the policy of the file at path cannot be approved by this plan now: each reason with its next step, a line each. It is
// nil where it can.
func (r Review) Check(p policy2.Policy, path string, now time.Time) error {
	if !p.NeedsApproval() {
		return fmt.Errorf("policy %s needs no approval", path)
	}

	// The plan and the manager are of the file, or nothing else of them matters.
	const reload = "next: scripts/gestor reload says whether the file is in force; then approve again"
	switch m := r.Manager; {
	case r.PolicyHash != p.Hash():
		return fmt.Errorf("the plan is of policy %s, and %s is policy %s; %s", r.PolicyHash, path, p.Hash(), reload)
	case m == nil:
		return errors.New("no manager answered where the plan was made; next: make up, then approve again")
	case m.Status == "starting":
		return errors.New("the manager has only started; next: approve again in a minute")
	case m.Policy != p.Hash():
		return fmt.Errorf("the manager runs policy %s, and %s is policy %s; %s", m.Policy, path, p.Hash(), reload)
	}

	var reasons []string
	if r.Manager.Status == "stalled" {
		reasons = append(reasons, "the manager does not tick any more; next: docker compose restart manager")
	}
	if gates := r.Manager.Gates; len(gates) > 0 {
		reasons = append(reasons, fmt.Sprintf("the manager does not trust what it sees (closed: %s); next: approve again in a minute, "+
			"and if it stays, do what the page and the manager's /conditions say", strings.Join(gates, ", ")))
	}
	if n := r.Manager.Snapshots; n < fewestSnapshots {
		reasons = append(reasons, fmt.Sprintf("the manager has accepted %d snapshots of the host since its start, and %d are needed; "+
			"next: approve again some ticks (%s) later", n, fewestSnapshots, p.Tick))
	}
	if r.ClockInDoubt || r.Manager.ClockInDoubt {
		reasons = append(reasons, "the clock is in doubt, so that no age is known: for 10 minutes after the host's start, and after the clock was "+
			"set; next: approve again when it is over")
	}
	if age := now.Sub(r.At); age > oldestPlan {
		reasons = append(reasons, fmt.Sprintf("the plan is of %s, and the host may be another by now; next: approve again", r.At.Format("2006-01-02 15:04:05 UTC")))
	}
	if len(reasons) == 0 {
		return nil
	}
	return errors.New(strings.Join(reasons, "\n"))
}

// Document is the approval of the policy of the file at path by a person who has confirmed the number of own containers. It is of the
// plan's policy and with the plan's number, or there is none.
func (r Review) Document(p policy2.Policy, path, who string, ownCount int, now time.Time) (policy2.Approved, error) {
	if err := r.Check(p, path, now); err != nil {
		return policy2.Approved{}, err
	}
	if ownCount != r.Own {
		return policy2.Approved{}, fmt.Errorf("%d is not the number of own containers, which is %d; next: look at the list, then approve again", ownCount, r.Own)
	}
	if strings.TrimSpace(who) == "" {
		return policy2.Approved{}, errors.New("nobody is named who approves; next: --who NAME")
	}
	return policy2.NewApproved(p, now, who, ownCount), nil
}
