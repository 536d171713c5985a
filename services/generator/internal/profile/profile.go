// Package profile reads the description of a churn: when containers arrive, from which images, and how long they live.
package profile

import (
	"fmt"
	"regexp"
	"time"

	"gestor.local/contract"
	"gestor.local/generator/internal/cadence"
	"gestor.local/generator/internal/draw"
)

// Version is the version of the profile document this package reads.
const Version = 1

// Profile is one churn.
type Profile struct {
	Version  int          `json:"version" yaml:"version"`
	Name     string       `json:"name" yaml:"name"`
	About    string       `json:"about,omitempty" yaml:"about"`
	Arrivals cadence.Spec `json:"arrivals" yaml:"arrivals"`
	Mix      []Share      `json:"mix" yaml:"mix"`
}

// Share is one image of the mix.
type Share struct {
	Image string `json:"image" yaml:"image"`
	// Weight is its probability in proportion to the others'; 0 never draws it.
	Weight   uint64   `json:"weight" yaml:"weight"`
	Lifetime Lifetime `json:"lifetime,omitzero" yaml:"lifetime"`
	// Limits in place of the image's own, "" and 0 for those.
	Memory string `json:"memory,omitempty" yaml:"memory"`
	CPUs   string `json:"cpus,omitempty" yaml:"cpus"`
	PIDs   int    `json:"pids,omitempty" yaml:"pids"`
}

// Image is what can be started, with the limits it gets.
type Image struct {
	Name   string         `json:"name"`
	Class  contract.Class `json:"class"`
	Memory string         `json:"memory"` // bytes or with k, m, g; swap included
	CPUs   string         `json:"cpus"`
	PIDs   int            `json:"pids"`
}

// MaxWeight bounds a weight, so that their sum stays far inside 64 bits.
const MaxWeight = 1_000_000

// What a limit may look like; the wrapper asks for the same.
var (
	memoryPattern = regexp.MustCompile(`^[1-9][0-9]{0,14}[bkmg]?$`)
	cpusPattern   = regexp.MustCompile(`^([1-9][0-9]{0,3}([.][0-9]{1,3})?|0[.][0-9]{0,2}[1-9][0-9]{0,2})$`)
)

// Validate returns everything that is wrong with the profile, given the images that there are.
func (p Profile) Validate(images []Image) contract.Problems {
	var problems contract.Problems
	if p.Version != Version {
		problems.Add("version", fmt.Sprintf("%d is not supported (write %d)", p.Version, Version))
	}
	if p.Name == "" {
		problems.Add("name", "missing")
	}

	p.Arrivals.Validate("arrivals", &problems)

	sum := uint64(0)
	for i, share := range p.Mix {
		where := fmt.Sprintf("mix[%d]", i)
		share.validate(where, images, &problems)
		sum += min(share.Weight, MaxWeight)
	}

	if sum == 0 {
		problems.Add("mix", "nothing has a weight, so nothing can be drawn")
	}
	return problems
}

func (s Share) validate(where string, images []Image, p *contract.Problems) {
	if _, ok := find(images, s.Image); !ok {
		*p = append(*p, contract.Problem{
			Where: where + ".image", What: fmt.Sprintf("there is no %q", s.Image), Hint: "launch-container.sh --images lists them",
		})
	}

	if s.Weight > MaxWeight {
		p.Add(where+".weight", fmt.Sprintf("%d is over %d", s.Weight, MaxWeight))
	}

	if s.Memory != "" && !memoryPattern.MatchString(s.Memory) {
		p.Add(where+".memory", fmt.Sprintf("%q is not a size such as 64m", s.Memory))
	}
	if s.CPUs != "" && !cpusPattern.MatchString(s.CPUs) {
		p.Add(where+".cpus", fmt.Sprintf("%q is not a number of CPUs such as 0.25", s.CPUs))
	}
	if s.PIDs < 0 || s.PIDs > 999_999 {
		p.Add(where+".pids", fmt.Sprintf("%d is not from 1 to 999999", s.PIDs))
	}

	s.Lifetime.validate(where+".lifetime", p)
}

func find(images []Image, name string) (Image, bool) {
	for _, image := range images {
		if image.Name == name {
			return image, true
		}
	}
	return Image{}, false
}

// Choose draws the image of a position, with its limits, and its lifetime (0 = for ever). The profile must be valid.
func (p Profile) Choose(seed, position uint64, images []Image) (Image, time.Duration) {
	weights := make([]uint64, len(p.Mix))
	for i, share := range p.Mix {
		weights[i] = share.Weight
	}

	share := p.Mix[draw.At(seed, "image", position).Weighted(weights)]
	image, _ := find(images, share.Image)

	// The mix's own limits stand in place of the image's.
	if share.Memory != "" {
		image.Memory = share.Memory
	}
	if share.CPUs != "" {
		image.CPUs = share.CPUs
	}
	if share.PIDs != 0 {
		image.PIDs = share.PIDs
	}

	return image, share.Lifetime.draw(draw.At(seed, "lifetime", position))
}
