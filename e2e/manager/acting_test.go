package manager

import (
	"testing"

	"gestor.local/e2e/scenario"
)

// A manager acts under policies of version 2, on an engine of the tests' own: on one on which another suite's manager runs nothing is
// done to other people's containers, and the volumes that are left go with the engine.
func TestActingUnderVersion2(t *testing.T) {
	engine := scenario.StartEngine(t, scenario.InstalledDocker)
	client := engine.Engine(t)
	if err := scenario.ImportImage(t.Context(), client.Client, programs.Payload, payloadImage); err != nil {
		t.Fatal(err)
	}

	for name, run := range map[string]func(*scenario.Suite){
		"a foreign host":             ForeignHost,
		"calm":                       ThrottleEndsWithItsReason,
		"stopped and killed":         ThrottleAcrossRuns,
		"the time to stop":           StopTakesTheContainersOwnTime,
		"volumes":                    RemoveTakesTheAnonymousVolumes,
		"what depends on each other": DependantsFirst,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(scenario.NewSuite(t, client, programs, payloadImage))
		})
	}
}
