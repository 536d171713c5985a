package profile

import (
	"fmt"
	"slices"
	"time"

	"gestor.local/contract"
	"gestor.local/generator/internal/cadence"
	"gestor.local/generator/internal/draw"
)

// Kinds of lifetime. A container that ends by itself does so after whole seconds.
const (
	Forever     = "forever"     // until it is removed; the same as no lifetime at all
	Fixed       = "fixed"       // For
	Uniform     = "uniform"     // evenly from From to To
	Exponential = "exponential" // with Mean, cut off at To
)

// MaxLifetime is as long as a lifetime may be.
const MaxLifetime = 7 * 24 * time.Hour

// Lifetime is the distribution of the time after which a container ends by itself.
type Lifetime struct {
	Kind string       `json:"kind,omitempty" yaml:"kind"`
	For  cadence.Span `json:"for,omitzero" yaml:"for"`
	From cadence.Span `json:"from,omitzero" yaml:"from"`
	To   cadence.Span `json:"to,omitzero" yaml:"to"`
	Mean cadence.Span `json:"mean,omitzero" yaml:"mean"`
}

func (l Lifetime) validate(where string, p *contract.Problems) {
	fields := map[string]cadence.Span{"for": l.For, "from": l.From, "to": l.To, "mean": l.Mean}
	needs, known := map[string][]string{
		"": {}, Forever: {}, Fixed: {"for"}, Uniform: {"from", "to"}, Exponential: {"mean", "to"},
	}[l.Kind]
	if !known {
		p.Add(where+".kind", fmt.Sprintf("%q is none of forever, fixed, uniform, exponential", l.Kind))
		return
	}

	for _, name := range []string{"for", "from", "to", "mean"} {
		d := time.Duration(fields[name])
		switch needed := slices.Contains(needs, name); {
		case needed && (d < time.Second || d > MaxLifetime):
			p.Add(where+"."+name, fmt.Sprintf("%s is not from 1s to %s", d, MaxLifetime))
		case !needed && d != 0:
			p.Add(where+"."+name, fmt.Sprintf("means nothing with kind %q", l.Kind))
		}
	}

	if l.Kind == Uniform && l.From > l.To {
		p.Add(where+".from", fmt.Sprintf("%s is more than to, %s", time.Duration(l.From), time.Duration(l.To)))
	}

	// As far as the generator's logarithm reaches (draw.Source.Exponential).
	if l.Kind == Exponential && time.Duration(l.Mean) > 24*time.Hour {
		p.Add(where+".mean", "more than 24h")
	}
}

// draw returns the lifetime in whole seconds, at least one; 0 is for ever.
func (l Lifetime) draw(s *draw.Source) time.Duration {
	var d time.Duration
	switch l.Kind {
	case Fixed:
		d = time.Duration(l.For)
	case Uniform:
		d = s.Between(time.Duration(l.From), time.Duration(l.To))
	case Exponential:
		d = min(s.Exponential(time.Duration(l.Mean)), time.Duration(l.To))
	default:
		return 0
	}

	return max(d.Truncate(time.Second), time.Second)
}
