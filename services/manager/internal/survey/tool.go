package survey

import (
	"gestor.local/contract/policy2"
)

// tool is a program that starts containers for a while: for a test, a build, an agent, a session. Its containers are known by what it
// writes on them.
type tool struct {
	name string
	// marks are the selectors that match its containers, the surest first.
	marks []policy2.Selector
}

func label(key string) policy2.Selector {
	return policy2.Selector{Label: &policy2.Label{Key: key, Any: true}}
}

func labelled(key string) policy2.Selector {
	return policy2.Selector{Label: &policy2.Label{Key: key, Value: "true"}}
}

func image(globs ...string) policy2.Selector { return policy2.Selector{Image: globs} }

// tools are the known ones. Each mark has the source in which the tool writes it.
var tools = []*tool{
	// All its languages set the first; libraries before 2023 only one of the others.
	// testcontainers/testcontainers-go internal/core/labels.go; testcontainers-node src/utils/labels.ts; testcontainers-python
	// core/testcontainers/core/labels.py.
	{name: "testcontainers", marks: []policy2.Selector{
		label("org.testcontainers"), label("org.testcontainers.lang"), label("org.testcontainers.session-id"), label("org.testcontainers.sessionId"),
	}},
	// gitlab-org/gitlab-runner executors/docker/internal/labels/labels.go (dockerLabelPrefix).
	{name: "gitlab-runner", marks: []policy2.Selector{labelled("com.gitlab.gitlab-runner.managed"), label("com.gitlab.gitlab-runner.job.id")}},
	// It sets no label. Its runner images are of catthehacker/ubuntu by default, and its containers are named act-WORKFLOW-JOB:
	// nektos/act cmd/platforms.go, pkg/runner/run_context.go (jobContainerName). The name alone may be anybody's.
	{name: "act", marks: []policy2.Selector{image("catthehacker/ubuntu", "ghcr.io/catthehacker/ubuntu")}},
	// drone/runner-go labels/labels.go.
	{name: "drone", marks: []policy2.Selector{labelled("io.drone")}},
	// docker/buildx driver/bkimage/bkimage.go (DefaultImage); driver/docker-container/driver.go names them buildx_buildkit_BUILDER.
	{name: "buildkit", marks: []policy2.Selector{image("moby/buildkit"), {Name: []string{"buildx_buildkit_*"}}}},
	// docker/mcp-gateway pkg/gateway/clientpool.go (baseArgs). Clients that run a server of the catalog by themselves set no label; its
	// images are all of mcp/: docs.docker.com/ai/mcp-catalog-and-toolkit.
	{name: "docker-mcp", marks: []policy2.Selector{labelled("docker-mcp"), image("mcp/*")}},
	// devcontainers/cli src/spec-node/singleContainer.ts (hostFolderLabel).
	{name: "devcontainer", marks: []policy2.Selector{label("devcontainer.local_folder")}},
	// kubernetes-sigs/kind pkg/cluster/internal/providers/docker/constants.go (clusterLabelKey).
	{name: "kind", marks: []policy2.Selector{label("io.x-k8s.kind.cluster")}},
	// kubernetes/minikube pkg/drivers/kic/oci/types.go (CreatedByLabelKey).
	{name: "minikube", marks: []policy2.Selector{labelled("created_by.minikube.sigs.k8s.io")}},
}

// toolOf is the tool that made the container, nil for none that is known.
func toolOf(id *policy2.Identity) *tool {
	for _, t := range tools {
		if _, ok := t.mark(id); ok {
			return t
		}
	}
	return nil
}

// mark is the first of the tool's marks that the container has.
func (t *tool) mark(id *policy2.Identity) (policy2.Selector, bool) {
	for i := range t.marks {
		if t.marks[i].Matches(id, nil) == policy2.True {
			return t.marks[i], true
		}
	}
	return policy2.Selector{}, false
}
