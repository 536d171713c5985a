package line

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gestor.local/manager/internal/rules"
)

// fill gives every exported field of a value something, or nothing at random; whatever is added to the type later is filled too.
func fill(v reflect.Value, rng *rand.Rand) {
	words := []string{"", "stale", `a "b" <c> & \`, "größe\u2028", "\x00\x7f", "9f2c01ab"}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), rng)
			}
		}
	case reflect.Slice:
		n := rng.IntN(4)
		if n == 3 {
			return // nil
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(v.Index(i), rng)
		}
	case reflect.Pointer:
		if rng.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), rng)
		}
	case reflect.String:
		v.SetString(words[rng.IntN(len(words))])
	case reflect.Map: // nil
	case reflect.Bool:
		v.SetBool(rng.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(rng.Int64N(5) - 2)
	case reflect.Uint64:
		v.SetUint(rng.Uint64N(3) << 40)
	default:
		panic(v.Type())
	}
}

// TestPlanIsWrittenAsJSON: the bytes that are hashed are those of the plan document.
func TestPlanIsWrittenAsJSON(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var p rules.Plan
		fill(reflect.ValueOf(&p).Elem(), rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0)))
		want, err := json.Marshal(p)
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(AppendPlan(nil, &p))); diff != "" {
			rt.Fatal(diff)
		}
	})
}

func TestPlanHashIsOfItsBytes(t *testing.T) {
	one := rules.Plan{V: 2, Tick: 310, Verdicts: []rules.Verdict{{ID: "a", Step: "keep"}}}
	other := one
	other.Verdicts = []rules.Verdict{{ID: "a", Step: "stop"}}
	if PlanHash(&one) == PlanHash(&other) {
		t.Error("two plans have one hash")
	}

	// As printf '%s' JSON | sha256sum has it: a reader of the journal can check a hash by hand.
	if got := PlanHash(&rules.Plan{}); got != "8ac43333a91c0fca" {
		t.Errorf("the hash of an empty plan is %s", got)
	}
}
