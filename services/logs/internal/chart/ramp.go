package chart

import "image/color"

// rampColor is the colour of a share of 0..1, between the ramp's stops.
func rampColor(ramp []string, share float64) color.Color {
	share = min(1, max(0, share)) * float64(len(ramp)-1)
	i := min(int(share), len(ramp)-2)
	a, b := rgba(ramp[i], 1), rgba(ramp[i+1], 1)
	mix := func(x, y uint8) uint8 { return uint8(float64(x) + (float64(y)-float64(x))*(share-float64(i)) + 0.5) }
	return color.NRGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 255}
}
