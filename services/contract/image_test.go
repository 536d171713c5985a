package contract

import "testing"

func TestImageNameIsOneForEveryWayToWriteIt(t *testing.T) {
	for written, want := range map[string]string{
		"gestor/high-cpu":                          "gestor/high-cpu",
		"gestor/high-cpu:latest":                   "gestor/high-cpu",
		"docker.io/gestor/high-cpu:latest":         "gestor/high-cpu",
		"docker.io/library/alpine:3.20":            "alpine:3.20",
		"docker.io/library/alpine:latest":          "alpine",
		"localhost/gestor/low-idle:latest":         "gestor/low-idle",
		"localhost:5000/app:latest":                "localhost:5000/app",
		"registry.example:5000/team/app:1":         "registry.example:5000/team/app:1",
		"app@sha256:00ff":                          "app@sha256:00ff",
		"sha256:71fa559c210dd3cd8b4d0d0c0ba1c7a1c": "sha256:71fa559c210dd3cd8b4d0d0c0ba1c7a1c",
		"library/alpine":                           "library/alpine",
		"docker.io/":                               "docker.io/",
		":latest":                                  ":latest",
		"":                                         "",
	} {
		if got := ImageName(written); got != want {
			t.Errorf("%q: %q, want %q", written, got, want)
		}
	}
}

func TestAShortImageHasNoRegistryOwnerOrTag(t *testing.T) {
	for image, want := range map[string]string{
		"gestor/high-cpu:latest": "high-cpu", "high-cpu": "high-cpu", "registry.example:5000/team/app:1": "app",
		"app@sha256:00ff": "app@sha256", "a/": "", ":latest": "", "": "",
	} {
		if got := ShortImage(image); got != want {
			t.Errorf("%q: %q, want %q", image, got, want)
		}
	}
}

func FuzzImageNameOfAnImageNameIsItself(f *testing.F) {
	f.Add("localhost/docker.io/x:latest:latest")
	f.Fuzz(func(t *testing.T, s string) {
		once := ImageName(s)
		if twice := ImageName(once); twice != once {
			t.Errorf("%q: %q, then %q", s, once, twice)
		}
		if s != "" && once == "" {
			t.Errorf("%q lost its name", s)
		}
	})
}
