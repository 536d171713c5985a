package main

import (
	"net/http"
	"strings"
	"testing"
)

func TestEveryWrongSettingIsNamedAtOnce(t *testing.T) {
	_, err := loadConfig(map[string]string{"GESTOR_MIN_FREE": "lots", "GESTOR_SEGMENT_AGE": "old", "GESTOR_FSYNC": "perhaps"})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{`GESTOR_MIN_FREE: `, `"lots"`, `GESTOR_SEGMENT_AGE: `, `GESTOR_FSYNC is "perhaps"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not in:\n%v", want, err)
		}
	}
}

func TestTheDefaultsAreAConfiguration(t *testing.T) {
	c, err := loadConfig(map[string]string{"GESTOR_LOG_LEVEL": ""}) // what is empty is not set
	if err != nil || c.Fsync != "always" || c.Host == "" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestTheServiceIsNotAskedThroughAProxy(t *testing.T) {
	if direct().Transport.(*http.Transport).Proxy != nil {
		t.Error("the health check and export would ask the proxy that compose hands to every container")
	}
}
