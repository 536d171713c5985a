package journal

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gestor.local/contract"
)

func (b Backlog) String() string {
	var lines []string
	for _, e := range b.Entries {
		switch {
		case e.Tick != nil:
			lines = append(lines, fmt.Sprint("tick ", e.Tick.Context.Tick))
		case e.Intent != nil:
			lines = append(lines, "intent "+e.Intent.ActionID)
		case e.Outcome != nil:
			lines = append(lines, "outcome "+e.Outcome.ActionID)
		}
	}
	return strings.Join(lines, ", ")
}

// Behind any line stands what was written after it, and each outcome's intent, however the files were rotated.
func TestBehindALineIsWhatWasWrittenAfterIt(t *testing.T) {
	for _, size := range []int64{600, 3000, 1 << 20} {
		j, _ := open(t, t.TempDir(), Options{SegmentBytes: size})
		type written struct {
			seq  uint64
			what string
		}
		var all []written
		note := func(what string) func(uint64, error) {
			return func(seq uint64, err error) {
				must(t, err)
				all = append(all, written{seq, what})
			}
		}
		for n := range uint64(8) {
			p, in, plan := tickOf(n, 2)
			in.Gates = nil
			if n%2 == 0 {
				plan.Verdicts[0].Verdict = contract.VerdictRemove
				note(fmt.Sprint("tick ", n))(j.Tick(p, in, plan))
			} else {
				wrote(t)(j.Tick(p, in, plan)) // decides nothing
			}
			id := fmt.Sprint("a", n)
			note("intent " + id)(j.Intent(intent(id, "c")))
			if n > 2 {
				note("outcome a" + fmt.Sprint(n-3))(j.Outcome(Outcome{ActionID: fmt.Sprint("a", n-3), Outcome: contract.OutcomeDone}))
			}
		}
		for seq := uint64(0); seq <= j.Seq(); seq++ {
			var want []string
			for _, w := range all {
				if w.seq > seq {
					want = append(want, w.what)
				}
			}
			got, err := Behind(j.dir, seq)
			must(t, err)
			if diff := cmp.Diff(strings.Join(want, ", "), got.String()); diff != "" {
				t.Fatalf("segments of %d bytes, behind %d (-want +got):\n%s", size, seq, diff)
			}
			for _, e := range got.Entries {
				if e.Outcome != nil && got.Intents[e.Outcome.ActionID].Container == "" {
					t.Fatalf("segments of %d bytes, behind %d: whose outcome %s is, is not known", size, seq, e.Outcome.ActionID)
				}
			}
		}
	}
}

func TestAGatedTickDecidedNothing(t *testing.T) {
	j, _ := open(t, t.TempDir(), Options{})
	p, in, plan := tickOf(7, 2) // gated
	plan.Verdicts[0].Verdict = contract.VerdictRemove
	wrote(t)(j.Tick(p, in, plan))
	b, err := Behind(j.dir, 0)
	if err != nil || len(b.Entries) != 0 || b.LastTick == nil || b.LastTick.Tick.Context.Tick != 7 {
		t.Errorf("%+v %v, want no entry and the last tick", b, err)
	}
}

// A journal that was lost, or put back as an older copy, gives no number that somebody has seen.
func TestNumbersNeverGoBack(t *testing.T) {
	j, _ := open(t, t.TempDir(), Options{})
	wrote(t)(j.Intent(intent("a", "c")))
	must(t, j.Close())
	for name, dir := range map[string]string{"older": j.dir, "lost": t.TempDir()} {
		j, r := open(t, dir, Options{After: 500})
		seq, err := j.Intent(intent("b", "c"))
		if err != nil || seq <= 500 {
			t.Errorf("%s: number %d (%v)", name, seq, err)
		}
		if name == "older" && fmt.Sprint(ids(r.Open)) != "[a]" {
			t.Errorf("%s: open %v", name, ids(r.Open))
		}
		if _, r = reopen(t, j); len(r.Open) == 0 || r.BadLines != 0 {
			t.Errorf("%s: after a restart %+v", name, r)
		}
		must(t, os.RemoveAll(dir))
	}
}
