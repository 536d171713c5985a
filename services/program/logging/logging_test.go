package logging

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestLinesAreJSONUnlessForPeople(t *testing.T) {
	var machine, people bytes.Buffer
	for w, forPeople := range map[*bytes.Buffer]bool{&machine: false, &people: true} {
		log := New(w, "logs", "warn", forPeople)
		log.Info().Msg("below the level")
		log.Warn().Msg("hot")
	}

	if got := machine.String(); !strings.HasPrefix(got, `{"level":"warn","service":"logs","time":`) || strings.Count(got, "\n") != 1 {
		t.Error(got)
	}
	// A buffer is no terminal: nothing of the text is coloured.
	if got := people.String(); !strings.Contains(got, "WRN hot service=logs") || strings.Contains(got, "\x1b") {
		t.Errorf("%q", got)
	}
}

func TestAFileIsNoTerminal(t *testing.T) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if IsTerminal(file) || IsTerminal(&bytes.Buffer{}) {
		t.Error("taken for a terminal")
	}
}
