package contract

import "strings"

// Orchestrator is a program that keeps containers as somebody declared them: what is removed under its feet it starts again.
type Orchestrator string

// Orchestrators whose containers are known by their labels.
const (
	Swarm      Orchestrator = "swarm"
	Kubernetes Orchestrator = "kubernetes"
	Nomad      Orchestrator = "nomad"
	Systemd    Orchestrator = "systemd" // by a unit of podman's
)

// Labels that orchestrators set on the containers they start.
const (
	LabelSwarmService = "com.docker.swarm.service.name"
	LabelSwarmTask    = "com.docker.swarm.task.id"

	// Those of the kubelet, on engines that it speaks with through cri-dockerd.
	LabelPod          = "io.kubernetes.pod.name"
	LabelPodUID       = "io.kubernetes.pod.uid"
	LabelPodNamespace = "io.kubernetes.pod.namespace"
	LabelPodContainer = "io.kubernetes.container.name"

	// Nomad's Docker driver sets the allocation always, the others where its extra_labels say so.
	LabelNomadAlloc     = "com.hashicorp.nomad.alloc_id"
	LabelNomadNamespace = "com.hashicorp.nomad.namespace"
	LabelNomadJob       = "com.hashicorp.nomad.job_id"
	LabelNomadGroup     = "com.hashicorp.nomad.task_group_name"

	// Podman sets it on what is started within a unit, and names the unit.
	LabelSystemdUnit = "PODMAN_SYSTEMD_UNIT"
)

// WorkloadLabels lists the labels that WorkloadOf reads.
func WorkloadLabels() []string {
	return []string{
		LabelSwarmService, LabelSwarmTask, LabelPod, LabelPodUID, LabelPodNamespace, LabelPodContainer,
		LabelNomadAlloc, LabelNomadNamespace, LabelNomadJob, LabelNomadGroup, LabelSystemdUnit,
	}
}

// Workload is what an orchestrator keeps and can be told to keep less of: a service, the pods of one kind, a group of a job,
// a unit. It stays the same when a container of it is made again.
type Workload struct {
	By        Orchestrator
	Namespace string // Kubernetes and Nomad, "" where the labels do not say
	Name      string // of the service, the container in its pod, the job, the unit; "" where the labels do not say
	Group     string // of the job
	Alloc     string // the allocation, where the labels do not name the job
}

// WorkloadOf says which workload containers with these labels belong to; ok is false for those of no orchestrator. A label
// without a value names an orchestrator too.
func WorkloadOf(labels map[string]string) (w Workload, ok bool) {
	has := func(keys ...string) bool {
		for _, key := range keys {
			if _, ok := labels[key]; ok {
				return true
			}
		}
		return false
	}

	switch {
	case has(LabelSwarmService, LabelSwarmTask):
		return Workload{By: Swarm, Name: labels[LabelSwarmService]}, true

	case has(LabelPod, LabelPodUID):
		return Workload{By: Kubernetes, Namespace: labels[LabelPodNamespace], Name: labels[LabelPodContainer]}, true

	case has(LabelNomadAlloc):
		w := Workload{By: Nomad, Namespace: labels[LabelNomadNamespace], Name: labels[LabelNomadJob], Group: labels[LabelNomadGroup]}
		if w.Name == "" {
			w.Alloc = labels[LabelNomadAlloc]
		}
		return w, true

	case has(LabelSystemdUnit) && !ofPodmanCompose(labels):
		return Workload{By: Systemd, Name: labels[LabelSystemdUnit]}, true

	default:
		return Workload{}, false
	}
}

// Governed says whether containers with these labels are the given suite's to act on: owned, and kept by no orchestrator.
func Governed(labels map[string]string, suite string) bool {
	if !Owned(labels, suite) {
		return false
	}
	_, elsewhere := WorkloadOf(labels)
	return !elsewhere
}

// Labels that podman-compose sets beside those of docker compose.
const (
	LabelPodmanProject    = "io.podman.compose.project"
	LabelPodmanService    = "io.podman.compose.service" // since 1.5
	LabelPodmanConfigHash = "io.podman.compose.config-hash"
)

// ofPodmanCompose: podman-compose names a unit podman-compose@PROJECT on all that it starts, be there such a unit or not;
// and that unit only starts and stops the project, it brings nothing back.
func ofPodmanCompose(labels map[string]string) bool {
	return labels[LabelPodmanProject] != "" && strings.HasPrefix(labels[LabelSystemdUnit], "podman-compose@")
}
