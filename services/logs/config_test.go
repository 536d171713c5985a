package main

import (
	"net/http"
	"strings"
	"testing"

	"gestor.local/logs/internal/store"
)

func TestEveryWrongSettingIsNamedAtOnce(t *testing.T) {
	_, err := loadConfig(map[string]string{"GESTOR_MIN_FREE": "lots", "GESTOR_SEGMENT_AGE": "old", "GESTOR_FSYNC": "perhaps"})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{`GESTOR_MIN_FREE: "lots" is no size`, `GESTOR_SEGMENT_AGE: `, `GESTOR_FSYNC is "perhaps"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not in:\n%v", want, err)
		}
	}
}

func TestAWrongSettingSaysWhatIsWanted(t *testing.T) {
	for pair, want := range map[string]string{
		"GESTOR_EVENTS_AGE=7d": "want a time with its unit, as in 90s, 5m or 12h (a week is 168h)", "GESTOR_HOSTS=http://gestor.example": "without scheme, port or path",
	} {
		name, value, _ := strings.Cut(pair, "=")
		if _, err := loadConfig(map[string]string{name: value}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", pair, err)
		}
	}
}

func TestSizesTakeUnits(t *testing.T) {
	c, err := loadConfig(map[string]string{
		"GESTOR_MIN_FREE": "1MiB", "GESTOR_SEGMENT_BYTES": "2 MiB", "GESTOR_OBSERVATIONS_BYTES": "3GB", "GESTOR_EVENTS_BYTES": "4096",
	})
	s := c.store()
	if err != nil || s.MinFree != 1<<20 || s.SegmentBytes != 2<<20 || s.Keep[store.Observations].Bytes != 3e9 || s.Keep[store.Events].Bytes != 4096 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestTheDefaultsAreAConfiguration(t *testing.T) {
	c, err := loadConfig(map[string]string{"GESTOR_LOG_LEVEL": ""}) // what is empty is not set
	if err != nil || c.Fsync != "always" || c.Host == "" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestTheServiceIsNotAskedThroughAProxy(t *testing.T) {
	if newClient().Transport.(*http.Transport).Proxy != nil {
		t.Error("the health check and export would ask the proxy that compose hands to every container")
	}
}
