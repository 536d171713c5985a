package contract

import "testing"

func TestWorkloadOfLabels(t *testing.T) {
	type labels = map[string]string
	for name, tt := range map[string]struct {
		labels labels
		want   Workload
		ok     bool
	}{
		"nobody's":          {labels{LabelManaged: "true", LabelProject: "p", LabelService: "web", LabelConfigHash: "1"}, Workload{}, false},
		"swarm":             {labels{LabelSwarmService: "web", LabelSwarmTask: "t1"}, Workload{By: Swarm, Name: "web"}, true},
		"swarm, task alone": {labels{LabelSwarmTask: ""}, Workload{By: Swarm}, true},
		"kubernetes": {
			labels{LabelPod: "web-5d9", LabelPodUID: "u", LabelPodNamespace: "shop", LabelPodContainer: "app"},
			Workload{By: Kubernetes, Namespace: "shop", Name: "app"},
			true,
		},
		"kubernetes, the pod's number alone": {labels{LabelPodUID: "u"}, Workload{By: Kubernetes}, true},
		"nomad":                              {labels{LabelNomadAlloc: "a1"}, Workload{By: Nomad, Alloc: "a1"}, true},
		"nomad with extra labels": {
			labels{LabelNomadAlloc: "a1", LabelNomadNamespace: "ns", LabelNomadJob: "shop", LabelNomadGroup: "web"},
			Workload{By: Nomad, Namespace: "ns", Name: "shop", Group: "web"},
			true,
		},
		"a unit of systemd": {labels{LabelSystemdUnit: "web.service"}, Workload{By: Systemd, Name: "web.service"}, true},
		"podman-compose names a unit that keeps nothing": {
			labels{LabelSystemdUnit: "podman-compose@shop.service", LabelPodmanProject: "shop", LabelPodmanService: "web"}, Workload{}, false,
		},
		"a unit of that name without the project": {
			labels{LabelSystemdUnit: "podman-compose@shop.service"}, Workload{By: Systemd, Name: "podman-compose@shop.service"}, true,
		},
		"a unit that runs podman-compose's": {
			labels{LabelSystemdUnit: "web.service", LabelPodmanProject: "shop"}, Workload{By: Systemd, Name: "web.service"}, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := WorkloadOf(tt.labels)
			if got != tt.want || ok != tt.ok {
				t.Errorf("%+v, %t", got, ok)
			}
			owned := labels{LabelManaged: "true", LabelSuite: "s"}
			for k, v := range tt.labels {
				owned[k] = v
			}
			if !Owned(owned, "s") || Governed(owned, "s") == tt.ok {
				t.Errorf("owned %t, governed %t", Owned(owned, "s"), Governed(owned, "s"))
			}
		})
	}
	if Governed(labels{LabelManaged: "true", LabelSuite: "other"}, "s") {
		t.Error("another suite's container is governed")
	}
}

// What compose builds carries project and service into every container of the image, tasks of a stack included.
func TestTheSuiteIsMadeByComposeOrAStack(t *testing.T) {
	type labels = map[string]string
	inherited := labels{LabelProject: "gestor", LabelService: "manager"}
	with := func(more labels) labels {
		out := labels{}
		for _, l := range []labels{inherited, more} {
			for k, v := range l {
				out[k] = v
			}
		}
		return out
	}
	for name, tt := range map[string]struct {
		labels labels
		suite  string
		want   bool
	}{
		"made by compose":                     {with(labels{LabelRole: "manager", LabelConfigHash: "1"}), "gestor", true},
		"made by compose for another project": {with(labels{LabelRole: "manager", LabelConfigHash: "1"}), "second", false},
		"inherited from the image":            {with(nil), "gestor", false},
		"inherited, and a role":               {with(labels{LabelRole: "manager"}), "gestor", false},
		"a task of another stack":             {with(labels{LabelRole: "manager", LabelStack: "shop", LabelSwarmService: "shop_web"}), "gestor", false},
		"a task of the suite's stack":         {with(labels{LabelRole: "manager", LabelStack: "gestor", LabelSwarmService: "gestor_manager"}), "gestor", true},
		"the stack's, without a role":         {with(labels{LabelStack: "gestor"}), "gestor", false},
		"of any suite":                        {labels{LabelRole: "logs", LabelStack: "x"}, "", true},
		"of any suite, a role alone":          {labels{LabelRole: "logs"}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := OfSuite(tt.labels, tt.suite); got != tt.want {
				t.Errorf("%t for %v", got, tt.labels)
			}
		})
	}
}
