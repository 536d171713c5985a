package ship

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
	"gestor.local/ship/shiptest"
)

// Whatever lies in the folder, the spool opens, takes a new record and delivers it once; a record that was there comes
// no more than once either.
func FuzzOpen(f *testing.F) {
	good := `{"v":1,"ts":"2026-01-02T03:04:05Z","kind":"launch","host":"h","boot":"b.1","producer":"generator","pseq":7,"run":"r","position":7,"offset_us":0,"outcome":"started"}` + "\n"
	f.Add([]byte(good), []byte(""))
	f.Add([]byte(good+good), []byte(good))
	f.Add([]byte("{\"pseq\":18446744073709551615}\n{\"pseq\":3}\n{\"pseq\":2}\nnull\n\n[]\n{\"pseq\":"), []byte("x"))
	f.Add([]byte(strings.Replace(good, `"pseq":7`, `"pseq":9`, 1)+good), []byte("\n"))
	f.Fuzz(func(t *testing.T, events, observations []byte) {
		dir := t.TempDir()
		for name, text := range map[string][]byte{streamEvents: events, streamObservations: observations} {
			if err := os.WriteFile(filepath.Join(dir, name+"-00000000000000000001.ndjson"), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var service shiptest.Service
		s := open(t, dir, &service)
		const position = 123456789
		appendAll(t, s, launch(position))
		flush(t, s)
		arrived := 0
		for _, r := range service.Records() {
			if body, ok := r.Body.(contract.LaunchBody); ok && body.Position == position && r.Boot != "b.1" {
				arrived++
			}
		}
		if arrived != 1 {
			t.Errorf("the new record arrived %d times", arrived)
		}
		if st := s.Stats(); st.Records != 0 {
			t.Errorf("%d records stay behind", st.Records)
		}
	})
}

func FuzzRetryAfterAndDetail(f *testing.F) {
	f.Add("120", []byte(`{"title":"x","detail":"y","errors":[{"reason":"z"}]}`))
	f.Add("Mon, 02 Jan 2006 15:04:05 GMT", []byte("<html>"))
	f.Add("-99999999999999999999", []byte(nil))
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		if wait := retryAfter(header, time.Unix(0, 0)); wait < 0 || wait > retryAfterMax {
			t.Errorf("wait %s", wait)
		}
		if text := detail(bytes.Clone(body)); len(text) > 512 {
			t.Errorf("%d bytes of detail", len(text))
		}
	})
}
