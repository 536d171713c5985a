package rules

import (
	"slices"
	"strings"
	"testing"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
)

func TestWhoNeedsWhom(t *testing.T) {
	of := func(project, service, dependsOn string) *policy2.Identity {
		return &policy2.Identity{ID: strings.Repeat("a", 64), Name: service, Labels: map[string]string{
			contract.LabelProject: project, contract.LabelConfigHash: "1", contract.LabelService: service,
			"com.docker.compose.depends_on": dependsOn,
		}}
	}
	db := of("shop", "db", "")
	db.ID = strings.Repeat("b", 64)
	image := of("shop", "web", "db:service_started:true")
	delete(image.Labels, contract.LabelConfigHash)

	for name, tt := range map[string]struct {
		a    *policy2.Identity
		mode string
		want bool
	}{
		"depends on it":                      {of("shop", "web", "cache:service_started:true, db:service_healthy:false"), "shop_default", true},
		"depends on another":                 {of("shop", "web", "database:service_started:true"), "shop_default", false},
		"a service of another project":       {of("blog", "web", "db:service_started:true"), "blog_default", false},
		"labels of the image alone":          {image, "bridge", false},
		"shares its network by id":           {of("blog", "web", ""), "container:" + db.ID, true},
		"by the first digits of the id":      {of("blog", "web", ""), "container:" + db.ID[:12], true},
		"by name":                            {of("blog", "web", ""), "container:db", true},
		"shares that of another":             {of("blog", "web", ""), "container:" + strings.Repeat("c", 64), false},
		"an empty name, which names nobody":  {of("blog", "web", ""), "container:", false},
		"a network that is called as it is":  {of("blog", "web", ""), "db", false},
		"by one digit: no one writes it so":  {of("blog", "web", ""), "container:b", false},
		"nothing is known of its network":    {of("blog", "web", ""), "", false},
		"depends on it without a network":    {of("shop", "web", "db:service_started:true"), "", true},
		"depends on itself, as no one would": {db, "bridge", false},
	} {
		if got := Needs(tt.a, tt.mode, db); got != tt.want {
			t.Errorf("%s: %t, want %t", name, got, tt.want)
		}
	}
}

// Whoever may set labels may set one of any length: no more of it is kept than a project of compose could have.
func TestDependenciesHaveABound(t *testing.T) {
	long := dependencies("db:service_started:true," + strings.Repeat("a,b,c,d,", 1<<18) + "web")
	if _, web := slices.BinarySearch(long, "web"); !slices.Contains(long, "db") || web {
		t.Errorf("%d services: %t", len(long), web)
	}
	if n := len(dependencies(strings.Repeat("x", 1<<20))); n > 1 {
		t.Errorf("%d services", n)
	}
}
