package web

// face is the part of the API that people look at: page, charts and static files. The embedded files can only be wrong
// in a build that its tests would refuse; the records are served then all the same.
func face(d Deps) []resource {
	a, err := loadAssets()
	if err != nil {
		d.Log.Error().Err(err).Msg("the page cannot be served: build the service again from a clean clone")
		return nil
	}
	from := archive{d.Query, d.Store}
	return []resource{
		a,
		newCharts(d, a, &studio{from: from}),
		page{d, a, from},
		lifePage{d, a, from},
	}
}
