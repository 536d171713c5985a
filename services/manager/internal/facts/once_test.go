package facts_test

import (
	"strings"
	"testing"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/engine"
	"gestor.local/manager/internal/engine/enginetest"
	"gestor.local/manager/internal/facts"
)

func TestOnce(t *testing.T) {
	e := enginetest.New(
		enginetest.Container{ID: id(1), Name: "web", Image: "docker.io/acme/web:3", AnonymousVolumes: 2, Networks: []string{"shop"}},
		enginetest.Container{ID: id(2), Name: "logs", Image: "gestor/logs", Labels: map[string]string{
			contract.LabelRole: "logs", contract.LabelProject: "gestor", contract.LabelConfigHash: "1",
		}},
	)
	f, err := facts.Once(t.Context(), e, "gestor")
	if err != nil || len(f.Containers) != 2 {
		t.Fatalf("%v: %+v", err, f)
	}

	c := f.Containers[0]
	if c.Name != "web" || c.Image != "docker.io/acme/web:3" || c.AnonymousVolumes != policy2.Known(2) || c.Socket != policy2.Known(false) {
		t.Errorf("%+v", c)
	}
	if f.Suite.Name != "gestor" || f.Suite.Project != "gestor" || len(f.Suite.IDs) != 1 || f.Suite.IDs[0] != id(2) {
		t.Errorf("suite %+v", f.Suite)
	}
}

func TestOnceWithoutAnEngine(t *testing.T) {
	e := enginetest.New()
	e.Inject(enginetest.Fault{Op: "list", Kind: engine.KindUnreachable})
	if _, err := facts.Once(t.Context(), e, ""); err == nil || !strings.Contains(err.Error(), "list") {
		t.Errorf("%v", err)
	}
}
