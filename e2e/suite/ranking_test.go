package suite

import (
	"testing"

	"gestor.local/contract"
)

func body(id string, class contract.Class, cpu, ram, age uint64) contract.ContainerBody {
	return contract.ContainerBody{
		Subject: contract.Subject{Container: id, Class: class}, Owned: true, Measured: true, State: "running",
		Measures: contract.Measures{CPUMillicores: cpu, RAMKB: ram}, AgeUS: age,
	}
}

func view(list ...contract.ContainerBody) tickView {
	v := tickView{containers: map[string]contract.ContainerBody{}}
	for _, c := range list {
		v.containers[c.Container] = c
	}
	return v
}

func TestSurplusFollowsThePolicyText(t *testing.T) {
	now := view(
		body("l1", contract.ClassLow, 5, 100, 90), body("l2", contract.ClassLow, 200, 100, 90),
		body("l3", contract.ClassLow, 3, 5000, 90), body("l4", contract.ClassLow, 1, 100, 95),
		body("h1", contract.ClassHigh, 500, 9000, 90), body("h2", contract.ClassHigh, 900, 9000, 90),
		body("h3", contract.ClassHigh, 905, 9000, 99), body("young", contract.ClassLow, 999, 1, 5),
	)
	got := surplus(now, now, 10, nil)
	if len(got) != 2 || !got["l2"] || !got["h1"] {
		t.Fatalf("got %v, want l2 and h1", got)
	}
	if got := surplus(view(), now, 10, nil); len(got) != 0 {
		t.Fatalf("first sight must not remove, got %v", got)
	}
}
