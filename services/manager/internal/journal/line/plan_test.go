package line

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"gestor.local/manager/internal/rules"
)

// isWritten says that the field is part of the document that the value is written as.
func isWritten(f reflect.StructField) bool { return f.IsExported() && f.Tag.Get("json") != "-" }

// fill gives every field of a value that is written something, or nothing at random; whatever is added to the type later is filled too.
func fill(v reflect.Value, rng *rand.Rand) {
	words := []string{"", "stale", `a "b" <c> & \`, "größe\u2028", "\x00\x7f", "9f2c01ab"}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if isWritten(v.Type().Field(i)) {
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

	// Both forms are what stands in journals: they must never change. The first is as printf '%s' JSON | sha256sum has it.
	for _, hash := range []string{"8ac43333a91c0fca", "2.5322fecfc92a5e32"} {
		if !IsHashOf(hash, &rules.Plan{}) || IsHashOf(hash, &one) {
			t.Errorf("%s is to be the hash of the empty plan alone", hash)
		}
	}
	if got := PlanHash(&one); got != "2.73bb13a1207d87fc" {
		t.Errorf("the hash of a plan is %s", got)
	}
}

// withoutUnhashed clears the fields that a plan's hash leaves out: those that it has from the facts as they are, and those that are no part
// of its document.
func withoutUnhashed(p *rules.Plan) {
	for i := range p.Verdicts {
		v := &p.Verdicts[i]
		v.Name, v.Image, v.Project, v.StartedAt, v.UntilGUS = "", "", "", "", 0
		for k := range v.Passing {
			v.Passing[k].UntilGUS = 0
		}
		if v.Neighbour != nil {
			v.Neighbour.Name = ""
		}
	}
}

// TestCompactFormTellsPlansApart: the compact forms of two plans are the same when the plans are, but for what is not hashed.
func TestCompactFormTellsPlansApart(t *testing.T) {
	same := 0
	rapid.Check(t, func(rt *rapid.T) {
		drawn := func(name string) (p rules.Plan, text string) {
			fill(reflect.ValueOf(&p).Elem(), rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, name), 0)))
			return p, string(appendCompact(nil, &p))
		}
		one, oneText := drawn("one")
		other, otherText := drawn("other")

		// One field of many, so that not all plans differ.
		if rapid.Bool().Draw(rt, "nearly the same") {
			other = one
			changed := reflect.ValueOf(&other).Elem()
			field := changed.Field(rapid.IntRange(0, changed.NumField()-2).Draw(rt, "field"))
			fill(field, rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "value"), 0)))
			otherText = string(appendCompact(nil, &other))
		}

		withoutUnhashed(&one)
		withoutUnhashed(&other)
		equal := cmp.Equal(one, other, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(rules.Plan{}))
		if equal != (oneText == otherText) {
			rt.Fatalf("the plans are the same: %v, their forms: %v\n%s", equal, oneText == otherText, cmp.Diff(one, other, cmpopts.IgnoreUnexported(rules.Plan{})))
		}
		if equal {
			same++
		}
	})
	if same == 0 {
		t.Error("no two plans were the same")
	}
}

// TestEachFieldIsHashed: whatever is changed in a plan changes its hash, but for what it has from the facts and what is no part of its document.
func TestEachFieldIsHashed(t *testing.T) {
	left := map[string]bool{
		"Verdict.Name": true, "Verdict.Image": true, "Verdict.Project": true, "Verdict.StartedAt": true, "Neighbour.Name": true,
		"Verdict.UntilGUS": true, "Passing.UntilGUS": true,
	}
	var p rules.Plan
	fillAll(reflect.ValueOf(&p).Elem())
	before := PlanHash(&p)

	eachField(reflect.ValueOf(&p).Elem(), func(name string, field reflect.Value) {
		was := reflect.New(field.Type()).Elem()
		was.Set(field)
		field.SetZero()
		if changed := PlanHash(&p) != before; changed == left[name] {
			t.Errorf("%s changes the hash: %v", name, changed)
		}
		field.Set(was)
	})
}

// fillAll gives every field of a value that is written something.
func fillAll(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if isWritten(v.Type().Field(i)) {
				fillAll(v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fillAll(v.Index(0))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillAll(v.Elem())
	case reflect.String:
		v.SetString("word")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(300)
	case reflect.Uint64:
		v.SetUint(300)
	default:
		panic(v.Type())
	}
}

// eachField calls do with every written field of structs, slices and pointers within v, as Type.Field.
func eachField(v reflect.Value, do func(name string, field reflect.Value)) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); isWritten(f) {
				eachField(v.Field(i), do)
				do(v.Type().Name()+"."+f.Name, v.Field(i))
			}
		}
	case reflect.Slice:
		eachField(v.Index(0), do)
	case reflect.Pointer:
		eachField(v.Elem(), do)
	default:
	}
}
