package profile

import (
	"testing"
	"time"
)

// A document that passes Parse and Validate can be drawn from without end.
func FuzzParse(f *testing.F) {
	for _, name := range Names() {
		text, err := shipped.ReadFile("profiles/" + name + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(good))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse(text)
		if err != nil || p.Validate(images).Err() != nil {
			return
		}
		for position := range uint64(20) {
			image, life := p.Choose(1, position, images)
			if image.Name == "" || image.Memory == "" || life < 0 || life > MaxLifetime || life%time.Second != 0 {
				t.Errorf("drew %+v for %s", image, life)
			}
		}
		last, n := time.Duration(0), 0
		for at := range p.Arrivals.Offsets(1) {
			if at < last {
				t.Errorf("%s after %s", at, last)
			}
			if last, n = at, n+1; n == 20 {
				break
			}
		}
	})
}
