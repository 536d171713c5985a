package notify

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTextsForPeople(t *testing.T) {
	now := time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC) // a Monday
	in := func(d time.Duration) Next {
		return Next{Step: "stop", At: now.Add(d).In(time.FixedZone("CET", 3600))}
	}
	for want, got := range map[string]string{
		"a-1 will be stopped on Tue 09:00 UTC (rule stale: age 3d 2h)": Announcement("a-1", in(25*time.Hour), "stale", "age 3d 2h", now),
		"a will be stopped on Mon 08:02 UTC (rule r)":                  Announcement("a", in(time.Minute+time.Second), "r", "", now),
		"a will be stopped on Sun 07:59 UTC (rule r)":                  Announcement("a", in(6*24*time.Hour-time.Minute), "r", "", now),
		"a will be stopped on Sun 8 Mar 2026 08:00 UTC (rule r)":       Announcement("a", in(6*24*time.Hour), "r", "", now),
		"a will be stopped on Tue 2 Mar 2027 08:00 UTC (rule r)":       Announcement("a", in(365*24*time.Hour), "r", "", now),
		"a will be stopped on Sun 1 Mar 2026 08:00 UTC (rule r)":       Announcement("a", in(-24*time.Hour), "r", "", now),
		"a will be removed on Tue 08:00 UTC (rule r)":                  Announcement("a", Next{"remove", now.Add(24 * time.Hour)}, "r", "", now),
		"a was throttled (rule hogs: cpu 180% for 5m)":                 Report("a", "throttle", "hogs", "cpu 180% for 5m"),
		"a was stopped (rule r)":                                       Report("a", "stop", "r", ""),
		"a was removed (rule r)":                                       Report("a", "remove", "r", ""),
		"a was removed (too new)":                                      Report("a", "remove", "", "too new"),
		"a was removed":                                                Report("a", "remove", "", ""),
		"preview-a-1 is only warned (rule stale: age 3d 2h)":           Warning("preview-a-1", "stale", "age 3d 2h"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func encoded(t *testing.T, notices ...Notice) string {
	t.Helper()
	text, err := json.Marshal(messageOf(notices))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheBodyOfACall(t *testing.T) {
	at := time.Date(2026, time.March, 3, 9, 0, 0, 0, time.UTC)
	one := Notice{
		Text: "preview-a-1 will be stopped on Tue 09:00 UTC (rule stale: age 3d 2h)", Host: "lab",
		Rule: "stale", Container: "f3c1", Name: "preview-a-1",
		Step: "warn", Next: &Next{Step: "stop", At: at}, ActionID: "310-f3c1-abcdefgh", Awaited: true,
	}
	want := `{"text":"preview-a-1 will be stopped on Tue 09:00 UTC (rule stale: age 3d 2h)","host":"lab","rule":"stale","container":"f3c1",` +
		`"name":"preview-a-1","step":"warn","next":{"step":"stop","at":"2026-03-03T09:00:00Z"},"action_id":"310-f3c1-abcdefgh"}`
	if got := encoded(t, one); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}

	two := Notice{Text: "b was removed (rule r)", Host: "lab", Rule: "r", Name: "b", Step: "remove", ActionID: "2"}
	joined := `{"text":"preview-a-1 will be stopped on Tue 09:00 UTC (rule stale: age 3d 2h)\nb was removed (rule r)",` +
		`"host":"lab","notices":[` +
		want + `,{"text":"b was removed (rule r)","host":"lab","rule":"r","name":"b","step":"remove","action_id":"2"}]}`
	if got := encoded(t, one, two); got != joined {
		t.Errorf("%s\nwant %s", got, joined)
	}
}

// Names and labels are chosen by others: they must neither make lines of their own, nor links, nor call a whole channel.
func TestALineShowsAndDoesNothing(t *testing.T) {
	for text, want := range map[string]string{
		"a\nb will be kept\r\x1b[31m":      "a\ufffdb will be kept\ufffd\ufffd[31m",
		"<!channel> & <http://x|y>":        "&lt;!channel&gt; &amp; &lt;http://x|y&gt;",
		"@here @Channel @all-in @everyone": "@\u200bhere @\u200bChannel @\u200ball-in @\u200beveryone",
		"image@sha256:00 @allow":           "image@sha256:00 @allow",
		strings.Repeat("ä", 1000):          strings.Repeat("ä", maxLine) + "…",
	} {
		if got := line(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzLine(f *testing.F) {
	for _, seed := range []string{"", "a\nb", "<!here>", "@all", "\xff", "\u202e", "&amp;"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := line(text)
		if strings.ContainsAny(got, "\n\r<>\x1b") || calls.MatchString(got) || len([]rune(got)) > 6*maxLine {
			t.Errorf("%q: %q", text, got)
		}
	})
}

func TestWhereTheAddressComesFrom(t *testing.T) {
	file := filepath.Join(t.TempDir(), "notify-url")
	for _, tt := range []struct{ text, file, want string }{
		{"", "", "GESTOR_NOTIFY_URL is not an address (want https://…)"},
		{"https://hooks.test/s3cret", file, "GESTOR_NOTIFY_URL and GESTOR_NOTIFY_URL_FILE are both set: one of them is enough"},
		{"hooks.test/s3cret", "", "GESTOR_NOTIFY_URL is not an address (want https://…)"},
		{"ftp://hooks.test/s3cret", "", "GESTOR_NOTIFY_URL is not an address (want https://…)"},
		{"https:///s3cret", "", "GESTOR_NOTIFY_URL is not an address (want https://…)"},
		{"https://:443/s3cret", "", "GESTOR_NOTIFY_URL is not an address (want https://…)"},
		{"https://hooks.test/%zz s3cret", "", "GESTOR_NOTIFY_URL is not an address (want https://…)"},
	} {
		if source, err := URLFrom(tt.text, tt.file); source != nil || err == nil || err.Error() != tt.want {
			t.Errorf("%q, %q: %v, want %s", tt.text, tt.file, err, tt.want)
		}
	}

	source, err := URLFrom("http://hooks.test:80/s3cret?x=y", "")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := source(); got != "http://hooks.test:80/s3cret?x=y" || err != nil {
		t.Errorf("%q, %v", got, err)
	}

	source, err = URLFrom("", file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source(); err == nil || err.Error() != "read GESTOR_NOTIFY_URL_FILE: open "+file+": no such file or directory" {
		t.Errorf("no file: %v", err)
	}
	for text, want := range map[string]string{"https://hooks.test/1\n": "https://hooks.test/1", " \n": "", "s3cret": ""} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := source()
		if got != want || (want == "") != (err != nil) || err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}
