package web

// face is the part of the API that people look at: page, charts and static files. The embedded files can only be wrong
// in a build that its tests would refuse; the records are served then all the same.
func face(d Deps) []resource {
	a, err := loadAssets()
	if err != nil {
		d.Log.Error().Err(err).Msg("the page cannot be served: build the service again from a clean clone")
		return nil
	}
	if removed, err := sweep(d.DataDir); err != nil || removed > 0 {
		d.Log.Warn().Err(err).Int("files", removed).Msg("removed half-written charts of a process that was killed")
	}
	return pages(d, a, archive{d.Query, d.Store})
}

// pages are the parts of the face.
func pages(d Deps, a *assets, from scanner) []resource {
	return []resource{
		a,
		newCharts(d, a, newStudio(from, d.guard)),
		page{d, a, from},
		lifePage{d, a, from},
	}
}
